package testenv

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var updateDocuments = flag.Bool("update", false, "write generated tables into the documents instead of comparing them")

// DocumentTable expects table, which ends with a line feed, in the document at path, between the
// lines <!-- NAME --> and <!-- end of NAME -->. With the flag -update it writes it there.
func DocumentTable(t testing.TB, path, name, table string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(text), begin)
	shown, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no lines %q and %q", path, begin, end)
	}
	if *updateDocuments {
		if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, want := strings.SplitAfter(shown, "\n"), strings.SplitAfter(table, "\n")
	for i := range max(len(is), len(want)) {
		switch {
		case i >= len(is) || i < len(want) && is[i] != want[i]:
			t.Fatalf("%s lacks this line; after a change on purpose run this test with -update:\n%s", path, want[i])
		case i >= len(want):
			t.Fatalf("%s has a line too many: %s", path, is[i])
		}
	}
}
