package cmd_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The page promises that it is enough to read a segment from another language.
func TestThePythonOfTheLayoutPageReadsASegment(t *testing.T) {
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
	name := segmentName(t)
	startWith(t, "producer", run{
		Args:  []string{"--name", name, "--input", "-", "--capacity", "4KiB"},
		Stdin: strings.NewReader("first line\nand a second\n"),
	}).ends(0)

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
