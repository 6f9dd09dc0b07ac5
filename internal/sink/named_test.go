package sink

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/layout"
)

// Each line of each message has the name of its source, and a length counts the name.
func TestOutput_SetSource_NamesBeforeMessages(t *testing.T) {
	large := strings.Repeat("x", minPart)
	type write struct {
		source string
		msgs   []string
	}
	for _, c := range []struct {
		name    string
		framing layout.Framing
		writes  []write
		want    string
	}{
		{"lines", layout.FramingLines, []write{{"a", []string{"1\n", "2\n"}}, {"bc", []string{"3\n"}}}, "a\t1\na\t2\nbc\t3\n"},
		{"lines without ends", layout.FramingLines, []write{{"a", []string{"1", ""}}, {"b", []string{"2", "3"}}}, "a\t1\na\t\nb\t2\nb\t3"},
		{"several lines in a message", layout.FramingLines, []write{{"a", []string{"1\n2\n", "3\n4", "\n"}}}, "a\t1\na\t2\na\t3\na\t4\na\t\n"},
		{"large lines", layout.FramingLines, []write{{"a", []string{large + "\n" + large, "1"}}, {"b", []string{large + "\n"}}}, "a\t" + large + "\na\t" + large + "\na\t1\nb\t" + large + "\n"},
		{"lengths", layout.FramingLength, []write{{"a", []string{"1", ""}}, {"bc", []string{"23"}}}, "\x03\x00\x00\x00\x01a1\x02\x00\x00\x00\x01a\x05\x00\x00\x00\x02bc23"},
		{"a large length", layout.FramingLength, []write{{"a", []string{large}}, {"", []string{"1"}}}, "\x02\x10\x00\x00\x01a" + large + "\x01\x00\x00\x001"},
	} {
		path := filepath.Join(t.TempDir(), "out")
		out, err := OpenOutput(t.Context(), path, func() layout.Framing { return c.framing }, new(WaitTime))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.writes {
			var msgs [][]byte
			for _, msg := range w.msgs {
				msgs = append(msgs, []byte(msg))
			}
			out.SetSource(w.source)
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
