package sink

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/layout"
)

// Small messages are copied together, large ones are not; what framing puts between them is the
// same, and so it is across calls.
func TestOutput_Write_Framing(t *testing.T) {
	large := strings.Repeat("x", minPart)
	for _, c := range []struct {
		name    string
		framing layout.Framing
		writes  [][]string
		want    string
	}{
		{"lines", layout.FramingLines, [][]string{{"a\n", "b\n"}, {"c\n"}}, "a\nb\nc\n"},
		{"lines without ends", layout.FramingLines, [][]string{{"a", "", "b\n"}, {"c"}, {"d"}}, "a\n\nb\nc\nd"},
		{"large lines", layout.FramingLines, [][]string{{"a", large, large + "\n", "b"}, {large}}, "a\n" + large + "\n" + large + "\nb\n" + large},
		{"lengths", layout.FramingLength, [][]string{{"a", "", "bcd"}, {"e"}}, "\x01\x00\x00\x00a\x00\x00\x00\x00\x03\x00\x00\x00bcd\x01\x00\x00\x00e"},
		{"a large length", layout.FramingLength, [][]string{{"a", large, "b"}}, "\x01\x00\x00\x00a\x00\x10\x00\x00" + large + "\x01\x00\x00\x00b"},
		{"raw", layout.FramingRaw, [][]string{{"a", "", large, "b"}, {""}, {"c"}}, "a" + large + "bc"},
	} {
		path := filepath.Join(t.TempDir(), "out")
		out, err := OpenOutput(t.Context(), path, func() layout.Framing { return c.framing }, new(WaitTime))
		if err != nil {
			t.Fatal(err)
		}
		for _, write := range c.writes {
			var msgs [][]byte
			for _, msg := range write {
				msgs = append(msgs, []byte(msg))
			}
			if err := out.Write(msgs); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != c.want || err != nil {
			t.Errorf("%s: %.60q, %v; want %.60q", c.name, got, err, c.want)
		}
	}
}
