package cmd_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// Whatever a side waits for, a signal ends it.
func TestSignal_EndsEveryWait(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	fed := func(t testing.TB) string { // a segment with messages in it
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--count", "1000", "--size", "500").WantExit(0)
		return name
	}
	for _, c := range []struct {
		waits, command string
		name           func(testing.TB) string
		args           []string
	}{
		{"for a segment", "consumer", testenv.SegmentName, nil},
		{"for a message", "consumer", fed, []string{"--follow"}},
		{"for room", "producer", testenv.SegmentName, nil},
		{"in a long spin", "producer", testenv.SegmentName, []string{"--spin", "1h"}},
		{"for its next turn", "producer", testenv.SegmentName, []string{"--rate", "0.001"}},
		{"until a message is due", "producer", testenv.SegmentName, []string{"--rate", "0.001", "--open-loop"}},
		{"for room, while more is due", "producer", testenv.SegmentName, []string{"--rate", "1e6", "--open-loop", "--slots", "1"}},
		{"in its work", "consumer", fed, []string{"--work", "1h"}},
		{"for the writer of a FIFO", "producer", testenv.SegmentName, []string{"--input", fifo}},
		{"for the reader of a FIFO", "consumer", fed, []string{"--output", fifo}},
		{"on standard input", "producer", testenv.SegmentName, []string{"--input", "-"}},
	} {
		t.Run(c.waits, func(t *testing.T) {
			r, _ := testenv.Pipe(t)
			p := testenv.StartWith(t, c.command, testenv.Options{Args: append([]string{"--name", c.name(t), "--report", "10ms"}, c.args...), Stdin: r})
			r.Close()
			p.EventuallyPrints("\n")
			p.Signal(unix.SIGTERM)
			p.WantExit(0)
		})
	}
}

func TestSignal_StderrBlocked_Ends(t *testing.T) {
	t.Parallel()
	r, w := testenv.Pipe(t)
	name := testenv.SegmentName(t)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--rate", "100", "--report", "1ms", "--format", "json"}, Stderr: w})
	w.Close()
	var full, before int
	for deadline := time.Now().Add(testenv.Timeout); (full == 0 || full != before) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		before = full
		full, _ = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
	}
	p.Signal(unix.SIGINT)
	p.WantExit(0)
}

// A file that somebody deleted cannot be kept for anybody.
func TestProducer_SegmentRemoved_Fails(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name)
	testenv.EventuallyHeader(t, name, "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
	if err := os.Remove(shm.Path(name)); err != nil {
		t.Fatal(err)
	}
	p.WantError(1, name, "removed", "lost")
}

func TestProducer_SegmentTruncated_Exit6(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--size", "3000")
	testenv.EventuallyHeader(t, name, "a full ring", func(h *layout.Header) bool { return h.ProducerStats.Waits.Load() > 0 })
	if err := os.Truncate(shm.Path(name), layout.HeaderSize+64<<10); err != nil { // the header stays
		t.Fatal(err)
	}
	p.WantError(6, name, "truncated")
}
