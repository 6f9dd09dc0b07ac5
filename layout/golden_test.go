package layout

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the header table into docs/layout.md")

func TestTheDocumentShowsTheHeaderAsItIs(t *testing.T) {
	const (
		path  = "../docs/layout.md"
		begin = "<!-- header table -->\n"
		end   = "<!-- end of header table -->"
	)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(text), begin)
	table, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no lines %q and %q", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+Table()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	shown, want := strings.Split(strings.TrimSpace(table), "\n"), strings.Split(strings.TrimSpace(Table()), "\n")
	for i, line := range want {
		if i >= len(shown) || shown[i] != line {
			t.Fatalf("%s lacks this line; after a change on purpose run go test ./layout -update:\n%s", path, line)
		}
	}
	if len(shown) > len(want) {
		t.Errorf("%s has a line too many: %s", path, shown[len(want)])
	}
}
