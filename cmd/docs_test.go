package cmd_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
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

// runInEitherMode runs the program of a page as its two sides, in the mode that it has and in the
// other one, which is one option. send and receive are their arguments, and printed is what the
// receiver has printed: a line for each of 1,000 trades.
func runInEitherMode(t *testing.T, program string, send, receive []string, printed func(*testenv.Process) string) {
	t.Helper()
	const ring, transfer = "sluice.ModeRing", "sluice.ModeTransfer"
	if strings.Count(program, ring) != 1 || !strings.Contains(program, `"trades"`) {
		t.Fatal("the page has another program than this test expects")
	}
	for _, mode := range []string{ring, transfer} {
		in := strings.ReplaceAll(strings.Replace(program, ring, mode, 1), `"trades"`, `"`+testenv.SegmentName(t)+`"`)
		receiver, sender := goRun(t, in, receive...), goRun(t, in, send...)
		sender.WantExit(0)
		receiver.WantExit(0)
		lines := strings.Split(strings.TrimSpace(printed(receiver)), "\n")
		if len(lines) != 1000 || !strings.Contains(lines[999], "999") || !strings.Contains(lines[999], "1999") {
			t.Errorf("%s: %d lines, want 1,000, the last one %q", mode, len(lines), lines[len(lines)-1])
		}
	}
}

// The README's program is the whole of it, for both sides, in about 30 lines.
func TestREADME_ProgramRunsInEitherMode(t *testing.T) {
	t.Parallel()
	blocks := goBlocks(t, "../README.md")
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d pieces of Go, want one program", len(blocks))
	}
	formatted, err := format.Source([]byte(blocks[0]))
	if err != nil || string(formatted) != blocks[0] {
		t.Errorf("README.md: the program is not as gofmt writes it (%v)", err)
	}
	const most = 35 // lines that are not empty
	if lines := len(strings.FieldsFunc(blocks[0], func(r rune) bool { return r == '\n' })); lines > most {
		t.Errorf("README.md: the program has %d lines, want at most %d", lines, most)
	}
	runInEitherMode(t, blocks[0], nil, []string{"receive"}, func(p *testenv.Process) string { return p.Stderr.String() })
}

func TestLibraryPage_ProgramRunsInEitherMode(t *testing.T) {
	t.Parallel()
	program := goBlocks(t, "../docs/library.md")[0]
	runInEitherMode(t, program, []string{"send"}, []string{"receive"}, func(p *testenv.Process) string { return p.Stdout.String() })
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
