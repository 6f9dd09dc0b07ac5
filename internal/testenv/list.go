package testenv

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// WantList fails the test if the lines of a file, in sorted order, are not those: it lists what a
// release promises, so that a change of it is a line in a diff. With -update it writes the file.
func WantList(t *testing.T, path string, lines []string) {
	t.Helper()
	lines = slices.Compact(slices.Sorted(slices.Values(lines)))
	if *updateDocuments {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range want {
		if _, there := slices.BinarySearch(lines, line); !there {
			t.Errorf("%s promises what is not there any more: %s", path, line)
		}
	}
	for _, line := range lines {
		if !slices.Contains(want, line) {
			t.Errorf("%s does not list: %s; if it is meant to be promised, run this test with -update", path, line)
		}
	}
}
