package layout_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestDocument_HeaderTable(t *testing.T) {
	testenv.DocumentTable(t, "../docs/layout.md", "header table", layout.Table())
}

// The examples of types, with their texts and fingerprints.
func TestDocument_TypeTable(t *testing.T) {
	type point struct{ X, Y float32 }
	type tick struct {
		ID   uint64
		Pos  [3]float32
		Name [16]uint8
	}
	type padded struct {
		ID   uint64
		Pos  [3]float32
		_    uint32
		Name [16]uint8
	}
	var b strings.Builder
	b.WriteString("| in C | text | fingerprint |\n|---|---|---|\n")
	for _, e := range []struct {
		inC string
		t   reflect.Type
	}{
		{"`int32_t`", reflect.TypeFor[int32]()},
		{"`double[2][3]`", reflect.TypeFor[[2][3]float64]()},
		{"`struct { uint64_t id; float pos[3]; uint8_t name[16]; }`", reflect.TypeFor[tick]()},
		{"the same, with 4 bytes of padding before `name`", reflect.TypeFor[padded]()},
		{"`struct { uint8_t kind; uint64_t at; }`", reflect.TypeFor[struct {
			Kind uint8
			At   uint64
		}]()},
		{"`struct { struct { float x, y; } p; int16_t n; }`", reflect.TypeFor[struct {
			P point
			N int16
		}]()},
		{"an array of 2 of `struct { uint32_t a; uint8_t b; }`", reflect.TypeFor[[2]struct {
			A uint32
			B uint8
		}]()},
	} {
		text, err := layout.TypeText(e.t)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "| %s | `%s` | `%#x` |\n", e.inC, text, layout.Fingerprint(text))
	}
	testenv.DocumentTable(t, "../docs/layout.md", "types", b.String())
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
