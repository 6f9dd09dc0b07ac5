package layout_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestDocument_HeaderTable(t *testing.T) {
	testenv.DocumentTable(t, "../docs/layout.md", "header table", layout.Table())
}

// The picture in the README names blocks as the table does, each where it begins.
func TestDocument_MemoryPicture(t *testing.T) {
	const path = "../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begins := map[string]string{}
	for _, f := range layout.Fields() {
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
	if ring := fmt.Sprintf("%#x  | ring", layout.HeaderSize); !strings.Contains(string(text), ring) {
		t.Errorf("%s lacks %q", path, ring)
	}
}
