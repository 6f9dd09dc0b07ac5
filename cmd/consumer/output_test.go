package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOutput_BadPath_RefusedBeforeProducerComes(t *testing.T) {
	t.Parallel()
	for path, hint := range map[string]string{"/nosuch/x": "check the path", "/dev/null/x": "check the path", t.TempDir(): "choose a file"} {
		testenv.Start(t, "consumer", "--name", testenv.SegmentName(t), "--output", path).WantError(1, path, hint)
		testenv.Start(t, "gauge", "record", "--name", testenv.SegmentName(t), "--output", path).WantError(1, path, hint)
	}
}

// What an output replaces is not what others work on.
func TestOutput_Segment_Refused(t *testing.T) {
	t.Parallel()
	name, link := testenv.SegmentName(t), filepath.Join(t.TempDir(), "link")
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	if err := os.Symlink(shm.Path(name), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{shm.Path(name), link, shm.Path(testenv.SegmentName(t))} {
		testenv.Start(t, "consumer", "--name", name, "--output", path).WantError(1, path, "the file is a segment", "another file")
		testenv.Start(t, "gauge", "record", "--name", name, "--output", path).WantError(1, path, "the file is a segment", "another file")
	}
	testenv.Start(t, "consumer", "--name", name, "--verify").WantExit(0)
}

// The file may be what the first consumer is writing.
func TestOutput_RoleTaken_FileUntouched(t *testing.T) {
	t.Parallel()
	name, out := testenv.SegmentName(t), testenv.WriteFile(t, []byte("precious"))
	testenv.Start(t, "consumer", "--name", name)
	testenv.Start(t, "producer", "--name", name, "--rate", "1")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	testenv.Start(t, "consumer", "--name", name, "--output", out).WantError(4, name, "process")
	if left, err := os.ReadFile(out); string(left) != "precious" {
		t.Errorf("%q, %v", left, err)
	}
}

func TestOutput_Socket_Refused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	testenv.Start(t, "consumer", "--name", testenv.SegmentName(t), "--output", path).WantError(1, path)
}

// An output that fails keeps its messages in the ring: the next consumer gets
// them.
func TestOutput_DiskFull_LosesNothing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	content := testenv.Lines(5000)
	testenv.Start(t, "producer", "--name", name, "--input", testenv.WriteFile(t, content), "--framing", "lines").WantExit(0)
	full := testenv.Start(t, "consumer", "--name", name, "--output", "/dev/full")
	full.WantExit(1)
	if !strings.Contains(full.Stderr.String(), "no space left") {
		t.Errorf("stderr: %s", full.Stderr.String())
	}
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	c.WantExit(0)
	if c.Stdout.String() != string(content) {
		t.Errorf("%d bytes came out, %d went in", len(c.Stdout.String()), len(content))
	}
}

func TestOutput_PipeClosed_LosesNothing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	content := testenv.Lines(5000)
	testenv.Start(t, "producer", "--name", name, "--input", testenv.WriteFile(t, content), "--framing", "lines").WantExit(0)
	r, w := testenv.Pipe(t)
	r.Close()
	defer w.Close()
	broken := testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-"}, Stdout: w})
	broken.WantExit(1)
	if !strings.Contains(broken.Stderr.String(), "broken pipe") {
		t.Errorf("stderr: %s", broken.Stderr.String())
	}
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	c.WantExit(0)
	if c.Stdout.String() != string(content) {
		t.Errorf("%d bytes came out, %d went in", len(c.Stdout.String()), len(content))
	}
}

// A write that fails half-way is taken back, so that nothing comes twice.
func TestOutput_FileFillsUp_EndsAtMessage(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: a small file system needs root to be mounted")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })

	name := testenv.SegmentName(t)
	content := testenv.Lines(5000)
	testenv.Start(t, "producer", "--name", name, "--input", testenv.WriteFile(t, content), "--framing", "lines").WantExit(0)
	testenv.Start(t, "consumer", "--name", name, "--output", dir+"/out").WantExit(1)
	head, err := os.ReadFile(dir + "/out")
	if err != nil {
		t.Fatal(err)
	}
	c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	c.WantExit(0)
	if got := string(head) + c.Stdout.String(); got != string(content) {
		t.Errorf("%d and %d bytes came out, %d went in", len(head), len(c.Stdout.String()), len(content))
	}
}

// The pipe has no reader. What was written of the batch is delivered again; that it was
// torn is worth an exit code.
func TestOutput_PipeBlocked_SignalEnds(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1000", "--size", "1000").WantExit(0)
	r, w := testenv.Pipe(t)
	c := testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-", "--framing", "raw"}, Stdout: w})
	w.Close()
	testenv.EventuallyHeader(t, name, "the consumer's start", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	var full int
	for deadline := time.Now().Add(testenv.Timeout); full < 60_000 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		full, _ = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
	}
	c.Signal(unix.SIGTERM)
	c.WantExit(1)
	if said := c.Stderr.String(); !strings.Contains(said, "is delivered again") {
		t.Errorf("%s", said)
	}
	if h := testenv.Header(name); h.Count(layout.Producer)-h.Count(layout.Consumer) == 0 {
		t.Error("messages were released that were not written")
	}
}

// The pipe was full before: nothing of any message went out, so this is a stop in
// good order.
func TestOutput_PipeFullFromStart_StopsInGoodOrder(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	_, w := testenv.Pipe(t)
	if _, err := w.Write(make([]byte, 64<<10)); err != nil { // what a pipe holds
		t.Fatal(err)
	}
	c := testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-", "--report", "10ms"}, Stdout: w})
	w.Close()
	c.EventuallyPrints("\n")
	testenv.EventuallyHeader(t, name, "the consumer's start", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	if h := testenv.Header(name); h.Count(layout.Consumer) != 0 {
		t.Errorf("%d messages were released", h.Count(layout.Consumer))
	}
}

func TestOutput_SocketBlocked_SignalEnds(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "5", "--size", "100000").WantExit(0)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	if err := unix.SetsockoptInt(fds[1], unix.SOL_SOCKET, unix.SO_SNDBUF, 0); err != nil { // the least that there is: no message fits
		t.Fatal(err)
	}
	w := os.NewFile(uintptr(fds[1]), "socket")
	c := testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-", "--framing", "raw"}, Stdout: w})
	w.Close()
	testenv.Eventually(t, "a part of a message", func() bool {
		queued, _ := unix.IoctlGetInt(fds[0], unix.TIOCINQ)
		return queued > 0
	})
	c.Signal(unix.SIGTERM)
	c.WantExit(1)
	if said := c.Stderr.String(); !strings.Contains(said, "is delivered again") {
		t.Errorf("%s", said)
	}
}

func TestOutput_PipeBlocked_SecondSignalLeavesAtOnce(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	r, w := testenv.Pipe(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1000", "--size", "1000").WantExit(0)
	// The pipe is not read: the write of the output never returns.
	c := testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-", "--framing", "raw"}, Stdout: w})
	testenv.EventuallyHeader(t, name, "the consumer's start", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	testenv.Eventually(t, "a full pipe", func() bool {
		full, _ := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		return full >= 60_000
	})
	for deadline := time.Now().Add(testenv.Timeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		c.Cmd.Process.Signal(unix.SIGINT)
		select {
		case <-c.Exited:
			c.WantExit(1)
			if said := c.Stderr.String(); !strings.Contains(said, "exited at once") || !strings.Contains(said, "unreleased messages are delivered to the next consumer") || strings.Contains(said, "ran for") {
				t.Errorf("it stopped cleanly:\n%s", said)
			}
			return
		default:
		}
	}
	t.Fatal("it still runs")
}

// What was written into a pipe and not read is gone: it is not kept for the next consumer.
func TestOutput_ReaderEnds_HintAndNextConsumer(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	r, w := testenv.Pipe(t)
	in, more := testenv.Pipe(t)
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--input", "-"}, Stdin: in})
	in.Close()
	c := testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-"}, Stdout: w})
	w.Close()
	defer more.Close()
	fmt.Fprintln(more, "in the pipe")
	testenv.EventuallyHeader(t, name, "the first line", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 1 })
	r.Close()
	fmt.Fprintln(more, "not written")
	c.WantHint(1, "broken pipe|data left in the pipe is lost|the next consumer receives the messages that were not written", "are kept")
	more.Close()
	next := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	next.WantExit(0)
	if got := next.Stdout.String(); got != "not written\n" {
		t.Errorf("the next consumer got %q", got)
	}
}

// A consumer that waits for the reader of its output is not slow itself, and says what it
// waits for.
func TestOutput_ReaderSlow_VerdictNamesReader(t *testing.T) {
	t.Parallel()
	name, path := testenv.SegmentName(t), filepath.Join(testenv.PrivateDir(t), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Start(t, "producer", "--name", name, "--size", "1000", "--count", "1000").WantExit(0)
	consume := func() *testenv.Process {
		return testenv.Start(t, "consumer", "--name", name, "--output", path, "--report", "200ms", "--format", "json")
	}
	blames := func(c *testenv.Process) {
		t.Helper()
		c.EventuallyPrints("for 100 % of the time the consumer waited for the reader of its output\",\"verdictAdvice\":\"speed up what reads the consumer's output")
	}
	c := consume()
	blames(c)
	c.EventuallyPrints(`{"hint":"start its reader","note":"waiting for a reader of ` + path)
	c.Signal(unix.SIGINT)
	c.WantExit(0)
	if f := c.Final(); !strings.Contains(fmt.Sprint(f["verdictWhy"]), "waited for the reader") {
		t.Errorf("%v: %v", f["verdict"], f["verdictWhy"])
	}

	r, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = consume()
	blames(c) // a pipe that is full
	if said := c.Stderr.String(); strings.Contains(said, "waiting for a reader") {
		t.Errorf("%s", said)
	}
	c.Signal(unix.SIGINT)
	c.WantHint(1, "the reader of the output does not read|is delivered again as a whole|keep the reader of the output running until the consumer has exited", "temporarily")
	r.Close()

	c = testenv.Start(t, "consumer", "--name", name, "--output", filepath.Join(t.TempDir(), "out"), "--work", "10ms", "--count", "50", "--format", "json")
	c.WantExit(0)
	if f := c.Final(); f["verdict"] != "consumer-bound" || strings.Contains(fmt.Sprint(f["verdictWhy"], f["verdictAdvice"]), "read") {
		t.Errorf("%v: %v; %v", f["verdict"], f["verdictWhy"], f["verdictAdvice"])
	}
}
