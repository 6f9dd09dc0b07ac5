package cmd_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

func transferring(name string, args ...string) []string {
	return append([]string{"--mode", "transfer", "--name", name, "--format", "json"}, args...)
}

func TestATransferInEitherOrder(t *testing.T) {
	for _, first := range []string{"producer", "consumer"} {
		t.Run(first+" first", func(t *testing.T) {
			name := segmentName(t)
			var p, c *proc
			consumer := []string{"--name", name, "--verify", "--format", "json"} // which finds the mode out
			if first == "producer" {
				p = start(t, "producer", transferring(name, "--count", "5000")...)
				eventually(t, name, "5000 queued messages", func(h *layout.Header) bool { return h.Producer.Count.Load() == 5000 })
				c = start(t, "consumer", consumer...)
			} else {
				c = start(t, "consumer", consumer...)
				p = start(t, "producer", transferring(name, "--count", "5000")...)
			}
			p.ends(0)
			c.ends(0)
			for _, side := range []*proc{p, c} {
				f := side.final()
				if f.num("producedCount") != 5000 || f.num("consumedCount") != 5000 || f["mode"] != "transfer" || f.num("lostCount") != 0 || f.num("queueBytes") != 0 {
					t.Errorf("%v: %v", side.cmd.Args, f)
				}
			}
			gone(t, name)
		})
	}
}

func TestATransferredFileComesOutAsItWentIn(t *testing.T) {
	for _, c := range []struct {
		name    string
		content []byte
		args    []string
	}{
		{"raw", randomBytes(16<<20 + 5), nil},
		{"raw, packed", randomBytes(4<<20 + 5), []string{"--chunk", "1000", "--buffer", "64KiB"}},
		{"raw, recycled", randomBytes(16<<20 + 5), []string{"--recycle"}},
		{"lines", text(20_000), []string{"--framing", "lines"}},
		{"lines, packed", text(300_000), []string{"--framing", "lines", "--buffer", "64KiB"}},
		{"lines, packed and recycled", text(300_000), []string{"--framing", "lines", "--buffer", "64KiB", "--recycle"}},
		{"lines longer than the buffer", text(20_000), []string{"--framing", "lines", "--buffer", "32"}},
		{"length", lengthFramed([]byte("one"), nil, randomBytes(70_000), []byte("\n")), []string{"--framing", "length"}},
		{"length, packed", lengthFramed([]byte("one"), nil, randomBytes(70_000), []byte("\n")), []string{"--framing", "length", "--buffer", "4KiB"}},
		{"an empty file", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, output := segmentName(t), filepath.Join(t.TempDir(), "output")
			p := start(t, "producer", transferring(name, append(c.args, "--input", writeFile(t, c.content))...)...)
			start(t, "consumer", "--name", name, "--output", output).ends(0)
			p.ends(0)
			if got, err := os.ReadFile(output); err != nil || !bytes.Equal(got, c.content) {
				t.Errorf("%v, %d bytes in, %d out", err, len(c.content), len(got))
			}
			gone(t, name)
		})
	}
}

// A pipe that has no more for now does not keep back what it gave.
func TestAPackedMessageDoesNotWaitForTheNext(t *testing.T) {
	name := segmentName(t)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := startWith(t, "producer", run{Args: transferring(name, "--input", "-", "--buffer", "64KiB"), Stdin: in})
	c := start(t, "consumer", "--name", name, "--output", "-", "--report", "0")
	in.Close()
	for i := range uint64(3) {
		out.WriteString("a line\n")
		eventually(t, name, "the line at the consumer", func(h *layout.Header) bool { return h.Consumer.Count.Load() == i+1 })
	}
	out.Close()
	p.ends(0)
	c.ends(0)
	if got := c.stdout.String(); got != strings.Repeat("a line\n", 3) {
		t.Errorf("%q", got)
	}
}

func TestAStoppedConsumerMakesTheQueueGrow(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--verify")
	p := start(t, "producer", transferring(name, "--rate", "2000", "--report", "200ms")...)
	moved(t, name, 100)
	c.signal(unix.SIGSTOP)
	grown := func(h *layout.Header) bool { return h.Producer.Count.Load()-h.Consumer.Count.Load() > 2000 }
	eventually(t, name, "a growing queue", grown)
	c.signal(unix.SIGCONT)
	eventually(t, name, "an empty queue", func(h *layout.Header) bool { return h.Producer.Count.Load()-h.Consumer.Count.Load() < 100 })
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
	growing := 0
	for _, f := range p.reports() {
		if f["verdict"] == "growing" && f.num("limitInSec") > 0 && f.num("queueDepth") > 0 {
			growing++
		}
		if f.num("producerWaits") != 0 {
			t.Errorf("the producer waited: %v", f)
		}
	}
	if growing == 0 {
		t.Errorf("no report said growing:\n%s", p.stderr.String())
	}
}

func TestAtTheLimitAllThatWasAcceptedIsDelivered(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--work", "1ms", "--verify", "--format", "json")
	p := start(t, "producer", transferring(name, "--size", "64KiB", "--limit", "16MiB")...)
	p.refuses(5, name, "memory limit reached: 16 MiB in flight", "the consumer took", "times less", "--rate", "--limit")
	c.ends(0)
	if f := c.final(); f.num("consumedCount") < 256 || f.num("consumedCount") != f.num("producedCount") {
		t.Errorf("%v produced, %v consumed", f["producedCount"], f["consumedCount"])
	}
	gone(t, name)
}

func TestFlagsOfTheOtherModeAreRefused(t *testing.T) {
	for _, c := range []struct {
		words []string
		args  []string
	}{
		{[]string{"--buffer", "ring mode"}, []string{"--buffer", "64KiB"}},
		{[]string{"--recycle", "ring mode"}, []string{"--recycle"}},
		{[]string{"--limit", "ring mode"}, []string{"--limit", "1GiB"}},
		{[]string{"--capacity", "transfer mode"}, []string{"-m", "transfer", "--capacity", "1MiB"}},
		{[]string{"--slots", "transfer mode"}, []string{"-m", "transfer", "--slots", "8"}},
		{[]string{"--on-full", "transfer mode"}, []string{"-m", "transfer", "--on-full", "drop"}},
		{[]string{"--spin", "transfer mode"}, []string{"-m", "transfer", "--spin", "0"}},
		{[]string{"--mode", "soft", "ring or transfer"}, []string{"-m", "soft"}},
		{[]string{"--limit 4096", "at least"}, []string{"-m", "transfer", "--limit", "4KiB"}},
		{[]string{"--buffer 8", "from 16 bytes"}, []string{"-m", "transfer", "--buffer", "8"}},
	} {
		start(t, "producer", append(c.args, "--name", segmentName(t))...).refuses(2, c.words...)
	}
}

func TestBothSidesHaveOneMode(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	start(t, "consumer", "--name", name, "--mode", "transfer").refuses(2, name, "another mode: ring, not transfer", "--mode")
	start(t, "producer", "--name", name, "--mode", "transfer").refuses(2, name, "another mode")
	start(t, "consumer", "--name", name).ends(0)
	gone(t, name)
}

func TestABadSocketPathIsRefused(t *testing.T) {
	name := segmentName(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	start(t, "producer", transferring(name, "--socket", long)...).refuses(1, long, "at most 107")

	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	p := start(t, "producer", transferring(name, "--count", "1", "--socket", filepath.Join(open, "s"))...)
	start(t, "consumer", "--name", name, "--socket", filepath.Join(open, "s")).refuses(1, name, "others may write to", "--socket")
	file := writeFile(t, nil)
	start(t, "consumer", "--name", name, "--socket", file).refuses(1, name, "is no socket")
	p.signal(unix.SIGINT)
	p.refuses(1, name, "messages were lost: 1 that no consumer came for")
	gone(t, name)
}
