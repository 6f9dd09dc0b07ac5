package source

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/ratelimit"
	"sluice/internal/schedule"
)

// What the counter finds in a file is what the Cutter sends, from whatever offset the file is read.
func TestCounter_AgreesWithCutter(t *testing.T) {
	long := strings.Repeat("x", readSize+10)
	byLine := func(in *Input) Cutter { return Lines(in, 1<<20) }
	byLength := func(in *Input) Cutter { return Lengths(in, 1<<20) }
	byChunk := func(in *Input) Cutter { return Chunks(in, 3) }
	for _, c := range []struct {
		name, content string
		cut           func(*Input) Cutter
	}{
		{"no lines", "", byLine},
		{"lines", "a\n\nb\n", byLine},
		{"lines, the last without its end", "a\n\nb", byLine},
		{"one line without its end", "a", byLine},
		{"long lines", long + "\n" + long + "\nb", byLine},
		{"a line that ends where a read does", long[:readSize-1] + "\n", byLine},
		{"many lines", strings.Repeat("a line\n", 100_000), byLine},
		{"no lengths", "", byLength},
		{"lengths", lengthFramed("a", "", "bcd"), byLength},
		{"long lengths", lengthFramed("a", long, "bcd"), byLength},
		{"no chunks", "", byChunk},
		{"chunks", "abcdefg", byChunk},
		{"whole chunks", "abcdef", byChunk},
	} {
		for _, skip := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, from %d", c.name, skip), func(t *testing.T) {
				in, to := inputFrom(t, c.content, skip), &recorder{}
				cut := c.cut(in)
				counter := cut.counter()
				first := counter.upTo(2) // before anything is read
				if err := Copy(t.Context(), to, in, cut, Limits{Pace: ratelimit.New(schedule.Spec{})}); err != nil {
					t.Fatal(err)
				}
				sent := uint64(len(to.got))
				if all := counter.upTo(math.MaxUint64); all != sent || first != min(2, sent) {
					t.Errorf("%d messages, at first %d of 2; %d were sent", all, first, sent)
				}
			})
		}
	}
}

// inputFrom is a file with that content, after skip other bytes that were read before.
func inputFrom(t *testing.T, content string, skip int) *Input {
	t.Helper()
	in := input(t, strings.Repeat("\n", skip)+content, false)
	if _, err := unix.Seek(in.fd, int64(skip), unix.SEEK_SET); err != nil {
		t.Fatal(err)
	}
	in.size -= int64(skip) // as of standard input that is at an offset when it is opened
	return in
}

// A file that is larger than memory is not read to its end before the first message.
func TestCounter_ReadsAsFarAsAsked(t *testing.T) {
	in := input(t, strings.Repeat("a line\n", 1_000_000), false)
	c := Lines(in, 10).counter()
	if n := c.upTo(10); n != 10 || c.count > readSize/7+1 || c.ended {
		t.Errorf("%d of 10 messages; it has read %d, ended=%v", n, c.count, c.ended)
	}
}

func TestCounter_FileCutShort_Ends(t *testing.T) {
	for _, cut := range []func(*Input) Cutter{
		func(in *Input) Cutter { return Lines(in, 10) }, func(in *Input) Cutter { return Lengths(in, 10) },
	} {
		in := input(t, lengthFramed("a", "bcdefgh"), false)
		counter := cut(in).counter()
		if err := os.Truncate(in.name, 7); err != nil {
			t.Fatal(err)
		}
		if n := counter.upTo(math.MaxUint64); n == 0 || n > 2 {
			t.Errorf("%d messages", n)
		}
	}
}
