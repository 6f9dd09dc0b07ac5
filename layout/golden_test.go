package layout

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the header table into docs/layout.md")

func TestDocument_HeaderTable(t *testing.T) {
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

// The picture in the README names blocks as the table does, each where it begins.
func TestDocument_MemoryPicture(t *testing.T) {
	const path = "../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begins := map[string]string{}
	for _, f := range Fields() {
		block, _, _ := strings.Cut(f.Name, ".")
		if _, known := begins[block]; !known {
			begins[block] = fmt.Sprintf("0x%04x", f.Offset)
		}
	}
	blocks := regexp.MustCompile(`(?m)^(0x[0-9a-f]+) +\|.*\|  (\w+)(?::|$)`).FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 6 {
		t.Fatalf("%s shows %d blocks of the header", path, len(blocks))
	}
	for _, b := range blocks {
		if shown, block := b[1], b[2]; begins[block] != shown {
			t.Errorf("%s shows %s at %s; it begins at %q", path, block, shown, begins[block])
		}
	}
	if ring := fmt.Sprintf("%#x  | ring", HeaderSize); !strings.Contains(string(text), ring) {
		t.Errorf("%s lacks %q", path, ring)
	}
}
