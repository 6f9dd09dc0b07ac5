package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sluice/internal/testenv"
	"strings"
	"testing"
)

// The loop of the README ends with the producer, and with its context.
func TestREADME_GoExampleRuns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```go\nimport \"sluice/ring\"\n")
	code, _, found := strings.Cut(rest, "```")
	give, take, both := strings.Cut(code, "r, err := ring.Open")
	if !found || !both {
		t.Fatal("README.md has no Go example with a writer and a reader")
	}
	name := testenv.SegmentName(t)
	program := filepath.Join(t.TempDir(), "main.go")
	text := `package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/ring"
)

var payload = []byte("hello")

func use(msg []byte) { fmt.Printf("%s\n", msg) }

func give(ctx context.Context) error {
` + give + `
	return nil
}

func take(ctx context.Context) error {
r, err := ring.Open` + take + `
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(give(ctx))
	fmt.Println(take(ctx))
	w, err := ring.Create(ctx, "demo", ring.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	cancel()
	fmt.Println(take(ctx))
	_, _ = errors.Is, io.EOF
}
`
	if err := os.WriteFile(program, []byte(strings.ReplaceAll(text, `"demo"`, `"`+name+`"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", program)
	cmd.Dir = ".."
	p, err := testenv.StartCommand(t, cmd, testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.WantExit(0)
	if got, want := p.Stdout.String(), "<nil>\nhello\n<nil>\ncontext canceled\n"; got != want {
		t.Errorf("%q, want %q", got, want)
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
