package layout

import (
	"fmt"
	"reflect"
	"strings"
)

// Field describes one field of the header.
type Field struct {
	Name   string  `json:"name"` // as in Go, for example "Producer.Index"
	Offset uintptr `json:"offset"`
	Size   uintptr `json:"size"`
	Doc    string  `json:"doc"`
}

// Fields lists every field of the header in the order of their offsets.
func Fields() []Field {
	return fields(nil, reflect.TypeFor[Header](), 0, "")
}

func fields(out []Field, t reflect.Type, base uintptr, prefix string) []Field {
	for f := range t.Fields() {
		if f.Name == "_" {
			continue
		}
		name, off := prefix+f.Name, base+f.Offset
		if doc, ok := f.Tag.Lookup("doc"); ok {
			out = append(out, Field{name, off, f.Type.Size(), doc})
		} else {
			out = fields(out, f.Type, off, name+".")
		}
	}
	return out
}

// Table returns the fields as the Markdown table that docs/layout.md shows.
func Table() string {
	var b strings.Builder
	b.WriteString("| offset | bytes | field | meaning |\n|---|---|---|---|\n")
	for _, f := range Fields() {
		fmt.Fprintf(&b, "| 0x%04x | %d | %s | %s |\n", f.Offset, f.Size, f.Name, f.Doc)
	}
	return b.String()
}
