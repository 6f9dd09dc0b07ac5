package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// Whatever a side waits for, a signal ends it.
func TestASignalEndsEveryKindOfWait(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	fed := func(t *testing.T) string { // a segment with messages in it
		name := segmentName(t)
		start(t, "producer", "--name", name, "--count", "1000", "--size", "500").ends(0)
		return name
	}
	for _, c := range []struct {
		waits, command string
		name           func(*testing.T) string
		args           []string
	}{
		{"for a segment", "consumer", segmentName, nil},
		{"for a message", "consumer", fed, []string{"--follow"}},
		{"for room", "producer", segmentName, nil},
		{"in a long spin", "producer", segmentName, []string{"--spin", "1h"}},
		{"for its next turn", "producer", segmentName, []string{"--rate", "0.001"}},
		{"in its work", "consumer", fed, []string{"--work", "1h"}},
		{"for the writer of a FIFO", "producer", segmentName, []string{"--input", fifo}},
		{"for the reader of a FIFO", "consumer", fed, []string{"--output", fifo}},
		{"on standard input", "producer", segmentName, []string{"--input", "-"}},
	} {
		t.Run(c.waits, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			p := startWith(t, c.command, run{Args: append([]string{"--name", c.name(t), "--report", "10ms"}, c.args...), Stdin: r})
			r.Close()
			p.reporting()
			p.signal(unix.SIGTERM)
			p.ends(0)
		})
	}
}

// Nobody reads the pipe. What was written of the batch comes again; that it was
// torn is worth an exit code.
func TestASignalEndsAConsumerWhoseOutputIsStuck(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "1000", "--size", "1000").ends(0)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-", "--framing", "raw"}, Stdout: w})
	w.Close()
	eventually(t, name, "the consumer's start", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	var full int
	for deadline := time.Now().Add(patience); full < 60_000 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		full, _ = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
	}
	c.signal(unix.SIGTERM)
	c.ends(1)
	if said := c.stderr.String(); !strings.Contains(said, "comes again") {
		t.Errorf("%s", said)
	}
	if h := header(name); h.Producer.Count.Load()-h.Consumer.Count.Load() == 0 {
		t.Error("messages were released that nobody got")
	}
}

// The pipe was full before: nothing of any message went out, so this is a stop in
// good order.
func TestAConsumerThatCouldNotWriteAnythingStopsInGoodOrder(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "10").ends(0)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.Write(make([]byte, 64<<10)); err != nil { // what a pipe holds
		t.Fatal(err)
	}
	c := startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-", "--report", "10ms"}, Stdout: w})
	w.Close()
	c.reporting()
	eventually(t, name, "the consumer's start", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	c.signal(unix.SIGTERM)
	c.ends(0)
	if h := header(name); h.Consumer.Count.Load() != 0 {
		t.Errorf("%d messages were released", h.Consumer.Count.Load())
	}
}

func TestASignalEndsAConsumerWhoseSocketIsStuck(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "1000", "--size", "1000").ends(0)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	w := os.NewFile(uintptr(fds[1]), "socket")
	c := startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-", "--framing", "raw"}, Stdout: w})
	w.Close()
	for queued, before := 0, -1; queued == 0 || queued != before; time.Sleep(50 * time.Millisecond) {
		before = queued
		queued, _ = unix.IoctlGetInt(fds[0], unix.TIOCINQ)
	}
	c.signal(unix.SIGTERM)
	c.ends(1)
	if said := c.stderr.String(); !strings.Contains(said, "comes again") {
		t.Errorf("%s", said)
	}
}

func TestASignalEndsASideWhoseStandardErrorIsStuck(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	name := segmentName(t)
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--rate", "100", "--report", "1ms", "--format", "json"}, Stderr: w})
	w.Close()
	var full, before int
	for deadline := time.Now().Add(patience); (full == 0 || full != before) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		before = full
		full, _ = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
	}
	p.signal(unix.SIGINT)
	p.ends(0)
}

// A file that somebody deleted cannot be kept for anybody.
func TestAProducerNoticesThatItsSegmentIsGone(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name)
	eventually(t, name, "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
	if err := os.Remove(shm.Path(name)); err != nil {
		t.Fatal(err)
	}
	p.refuses(1, name, "removed", "lost")
}

func TestATruncatedSegmentEndsBothSides(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name, "--size", "3000")
	eventually(t, name, "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
	if err := os.Truncate(shm.Path(name), layout.HeaderSize+64<<10); err != nil { // the header stays
		t.Fatal(err)
	}
	p.refuses(6, name, "truncated")
}
