package cmd_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// A consumer that follows receives from every producer, whatever kind of segment that needs: a
// segment in which everything was received is replaced.
func TestFollow_SegmentsOfEveryKind(t *testing.T) {
	t.Parallel()
	name, input := testenv.SegmentName(t), testenv.WriteFile(t, testenv.Lines(30))
	content, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	out := input + ".copy"
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--output", out, "--framing", "raw", "--format", "json")
	var want uint64
	for _, p := range []struct {
		args  []string
		bytes int
	}{
		{[]string{"--count", "10"}, 80},
		{[]string{"--count", "10"}, 80},
		{[]string{"--input", input, "--framing", "lines"}, len(content)},
		{[]string{"--count", "5", "--size", "128"}, 640},
		{[]string{"--count", "5", "--size", "128", "--slots", "3"}, 640},
		{[]string{"--count", "5", "--size", "128", "--capacity", "64KiB"}, 640},
		{[]string{"--count", "4", "--mode", "transfer"}, 32},
		{[]string{"--count", "4"}, 32},
	} {
		testenv.Start(t, "producer", append([]string{"--name", name}, p.args...)...).WantExit(0)
		want += uint64(p.bytes)
	}
	testenv.Eventually(t, "all bytes", func() bool {
		info, err := os.Stat(out)
		return err == nil && uint64(info.Size()) == want
	})
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	if ends := streamEnds(c); len(ends) != 8 || slices.ContainsFunc(ends, func(end any) bool { return end != "complete" }) {
		t.Errorf("ends %v", ends)
	}
	testenv.WantNoSegment(t, name)
}

// A producer that needs another segment is refused while there is something unread.
func TestReplace_InUse_Refused(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	other := func(words string) {
		t.Helper()
		testenv.Start(t, "producer", "--name", name, "--count", "1", "--size", "100").WantHint(2, words, "")
	}
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	other("another type|3 unread messages and no consumer")
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--work", "1m")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	other("another type|3 unread messages and a live consumer")
	c.Kill()
}

// A consumer that waits in what an old pair has left goes on in the segment that replaces it.
func TestReplace_ConsumerWaitsInOldSegment_GoesOn(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "3", "--keep").WantExit(0)
	testenv.Start(t, "consumer", "--name", name).WantExit(0)
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--format", "json")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool {
		return layout.State(h.ConsumerStats.State.Load()) == layout.StateAlone
	})
	testenv.Start(t, "producer", "--name", name, "--count", "5", "--size", "100").WantExit(0)
	c.WantExit(0)
	if f := c.Final(); f.Num("consumedCount") != 5 || f.Num("consumedBytes") != 500 {
		t.Errorf("%v", f)
	}
}

// What a consumer that follows was told of one segment is not forgotten in the next.
func TestFollow_Replaced_EndsAndChecksGoOn(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--verify", "--count", "30", "--format", "json")
	for i, size := range []string{"8", "16", "24"} {
		testenv.Start(t, "producer", "--name", name, "--size", size, "--count", "10").WantExit(0)
		if i < 2 {
			testenv.Eventually(t, "the end", func() bool { return len(streamEnds(c)) == i+1 })
		}
	}
	c.WantExit(0)
	finals := 0
	for _, r := range c.Reports() {
		if r["final"] == true {
			finals++
			if r.Num("consumedCount") != 10 {
				t.Errorf("a segment of %v messages", r["consumedCount"])
			}
		}
	}
	if finals != 3 {
		t.Errorf("%d last reports, want one for each segment", finals)
	}
	if n := strings.Count(c.Stderr.String(), `"verifiedCount":10`); n != 3 {
		t.Errorf("%d checks", n)
	}
}
