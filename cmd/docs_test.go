package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

// goBlocks returns the Go code of a page, one string a block.
func goBlocks(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```go\n")[1:] {
		code, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, code)
	}
	return blocks
}

// goRun writes a program to a file and starts it as a user does.
func goRun(t *testing.T, program string, args ...string) *testenv.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"run", file}, args...)...)
	cmd.Dir = ".."
	p, err := testenv.StartCommand(t, cmd, testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The two pieces of code in the README, each as a function.
func TestREADME_GoCodeRuns(t *testing.T) {
	t.Parallel()
	blocks := goBlocks(t, "../README.md")
	if len(blocks) != 2 {
		t.Fatalf("README.md has %d pieces of Go, want a producer and a consumer", len(blocks))
	}
	typeOf := regexp.MustCompile(`(?m)^// (type Trade .*)$`).FindStringSubmatch(blocks[0])
	if typeOf == nil || !strings.Contains(blocks[0], "sluice.ModeRing") || !strings.Contains(blocks[1], `"trades"`) {
		t.Fatal("README.md has other Go than this test expects")
	}
	program := `package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"sluice"
)

` + typeOf[1] + `

func produce(ctx context.Context) error {
` + blocks[0] + `}

func consume(ctx context.Context) error {
` + blocks[1] + `}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	produced := make(chan error)
	go func() { produced <- produce(ctx) }()
	fmt.Println(consume(ctx))
	fmt.Println(<-produced)
	p, err := sluice.Create(ctx, "trades", sluice.ProducerOptions{})
	if err != nil {
		panic(err)
	}
	defer p.Close()
	cancel()
	fmt.Println(consume(ctx))
}
`
	for _, mode := range []string{"sluice.ModeRing", "sluice.ModeTransfer"} {
		in := strings.Replace(program, "sluice.ModeRing", mode, 1)
		p := goRun(t, strings.ReplaceAll(in, `"trades"`, `"`+testenv.SegmentName(t)+`"`))
		p.WantExit(0)
		lines := strings.Split(p.Stdout.String(), "\n")
		if got, want := lines[max(0, len(lines)-5):], []string{"{999 1999 5}", "<nil>", "<nil>", "context canceled", ""}; len(lines) != 1004 || !slices.Equal(got, want) {
			t.Errorf("%s: %d lines, the last ones %q, want %q", mode, len(lines), got, want)
		}
	}
}

// The program of docs/library.md sends structs between two processes in either mode, by one
// option.
func TestLibraryPage_ProgramRunsInEitherMode(t *testing.T) {
	t.Parallel()
	const ring, transfer = "sluice.ModeRing", "sluice.ModeTransfer"
	program := goBlocks(t, "../docs/library.md")[0]
	if strings.Count(program, ring) != 1 || !strings.Contains(program, `"trades"`) {
		t.Fatal("docs/library.md has another program than this test expects")
	}
	for _, mode := range []string{ring, transfer} {
		in := strings.ReplaceAll(strings.Replace(program, ring, mode, 1), `"trades"`, `"`+testenv.SegmentName(t)+`"`)
		receiver, sender := goRun(t, in, "receive"), goRun(t, in, "send")
		sender.WantExit(0)
		receiver.WantExit(0)
		lines := strings.Split(receiver.Stdout.String(), "\n")
		if len(lines) != 1001 || lines[999] != "{ID:999 Cents:1999 Amount:5}" {
			t.Errorf("%s: %d lines, the last but one of them %q", mode, len(lines), lines[max(0, len(lines)-2)])
		}
	}
}

// The page promises that it is enough to read a segment from another language.
func TestLayoutPage_PythonExampleReadsSegment(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 here, so the example in docs/layout.md is not tested")
	}
	page, err := os.ReadFile("../docs/layout.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```python\n")
	program, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/layout.md has no Python example")
	}
	name := testenv.SegmentName(t)
	testenv.StartWith(t, "producer", testenv.Options{
		Args:  []string{"--name", name, "--input", "-", "--capacity", "4KiB"},
		Stdin: strings.NewReader("first line\nand a second\n"),
	}).WantExit(0)

	out, err := exec.Command(python, "-c", program, name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"producer gone", "consumer gone", "produced 2 consumed 0 queued 2", "of 4096 bytes in use", `b'first line\n'`, `b'and a second\n'`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
