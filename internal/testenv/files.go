package testenv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/layout"
)

// WriteFile returns the path of a new file with that content. It is removed when the test
// ends.
func WriteFile(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// RandomBytes returns n bytes, the same at each call.
func RandomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// Overwrite writes a word into a segment's file, at an offset in bytes.
func Overwrite(t testing.TB, name string, offset int64, word uint64) {
	t.Helper()
	f, err := os.OpenFile(SegmentPath(name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, word), offset); err != nil {
		t.Fatal(err)
	}
}

// FieldOffset returns where a field of the header lies in the file, in bytes.
func FieldOffset(t testing.TB, field string) int64 {
	t.Helper()
	for _, f := range layout.Fields() {
		if f.Name == field {
			return int64(f.Offset)
		}
	}
	t.Fatalf("no field %s", field)
	return 0
}

// Lines returns n lines of many lengths, empty ones among them, and a last one without a
// line feed. They are the same at each call.
func Lines(n int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		fmt.Fprintf(&b, "%d%s\n", i, strings.Repeat("x", r.IntN(90)))
		if i%7 == 0 {
			b.WriteByte('\n')
		}
	}
	b.WriteString("the end")
	return b.Bytes()
}
