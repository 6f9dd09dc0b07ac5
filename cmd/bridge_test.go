package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// bridged is two rings with a bridge between them, and a server.
type bridged struct {
	t         *testing.T
	url       string
	near, far string
	out, in   *testenv.Process
}

// newBridged starts a server, and bridges with more arguments.
func newBridged(t *testing.T, args ...string) *bridged {
	t.Helper()
	b := &bridged{t: t, near: testenv.SegmentName(t), far: testenv.SegmentName(t)}
	b.url, _ = startServer(t, testenv.Options{})
	b.startIn(args...)
	b.startOut(args...)
	return b
}

func (b *bridged) start(command, name string, args ...string) *testenv.Process {
	b.t.Helper()
	return testenv.Start(b.t, "bridge", append([]string{command, name, "--nats", b.url, "--stream", "S", "--subject", b.near, "--format", "json", "--report", "0"}, args...)...)
}

func (b *bridged) startOut(args ...string) { b.t.Helper(); b.out = b.start("out", b.near, args...) }

func (b *bridged) startIn(args ...string) { b.t.Helper(); b.in = b.start("in", b.far, args...) }

// How the near producer ends is what the far consumer is told, and what the exit codes of all say.
func TestBridge_End_ReachesFarConsumer(t *testing.T) {
	t.Parallel()
	const failing = "\x03\x00\x00\x00one\x03\x00\x00\x00two\xff\xff\xff\xff"
	for _, c := range []struct {
		name  string
		args  []string
		in    string
		stop  bool
		code  int    // of the producer
		want  string // of the consumer; "" = complete
		bytes string // that the consumer writes
	}{
		{"complete", []string{"--input", "-"}, "one\ntwo\n", false, 0, "", "one\ntwo\n"},
		{"complete, without a message", []string{"--input", "-"}, "", false, 0, "", ""},
		{"stopped", []string{"--input", "-"}, "one\ntwo\n", true, 0, "the producer was stopped before it had sent everything", "one\ntwo\n"},
		{"failed", []string{"--input", "-", "--framing", "length"}, failing, false, 1, "the producer failed before it had sent everything", failing[:14]},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBridged(t)
			path := filepath.Join(t.TempDir(), "out")
			consumer := testenv.Start(t, "consumer", "--name", b.far, "--report", "0", "--output", path)
			r, w := testenv.Pipe(t)
			producer := testenv.StartWith(t, "producer", testenv.Options{Args: append([]string{"--name", b.near, "--report", "0"}, c.args...), Stdin: r})
			if _, err := w.WriteString(c.in); err != nil {
				t.Fatal(err)
			}
			if c.stop {
				testenv.EventuallyConsumed(t, b.far, 2)
				producer.Signal(unix.SIGTERM)
			} else {
				w.Close()
			}
			producer.WantExit(c.code)
			code, end := 0, "complete"
			if c.want != "" {
				code, end = 7, c.name
			}
			b.out.WantExit(code)
			b.in.WantExit(code)
			consumer.WantExit(code)
			for _, p := range []*testenv.Process{b.out, b.in} {
				if got := p.Final()["streamEnd"]; got != end {
					t.Errorf("%v: streamEnd %v, want %s", p.Cmd.Args, got, end)
				}
			}
			if said := consumer.Stderr.String(); !strings.Contains(said, c.want) {
				t.Errorf("the consumer does not say %q:\n%s", c.want, said)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != c.bytes {
				t.Errorf("the consumer wrote %q, %v; want %q", got, err, c.bytes)
			}
			testenv.WantNoSegment(t, b.near)
			testenv.WantNoSegment(t, b.far)
		})
	}
}

// With --follow each end has a line, at every process that waits, and all go on.
func TestBridge_Follow_NextStream(t *testing.T) {
	t.Parallel()
	b := newBridged(t, "--follow")
	consumer := testenv.Start(t, "consumer", "--name", b.far, "--report", "0", "--follow")
	for i := range 3 {
		testenv.Start(t, "producer", "--name", b.near, "--report", "0", "--count", "1000").WantExit(0)
		for _, p := range []*testenv.Process{b.out, b.in, consumer} {
			testenv.Eventually(t, fmt.Sprintf("end %d at %v", i, p.Cmd.Args), func() bool {
				return strings.Count(p.Stderr.String(), "the stream is complete") == i+1
			})
		}
	}
	for _, p := range []*testenv.Process{b.out, b.in, consumer} {
		p.Signal(unix.SIGTERM)
		p.WantExit(0)
	}
}

// A bridge that is stopped does not end the stream: the next one goes on, and the far consumer
// misses nothing.
func TestBridge_StoppedAndStarted_GoesOn(t *testing.T) {
	t.Parallel()
	const count = 60_000
	b := newBridged(t)
	consumer := testenv.Start(t, "consumer", "--name", b.far, "--report", "0", "--verify")
	producer := testenv.Start(t, "producer", "--name", b.near, "--report", "0", "--count", fmt.Sprint(count), "--rate", "20000")
	for i := range 4 {
		testenv.EventuallyConsumed(t, b.far, count/8)
		stopped, start := b.out, b.startOut
		if i%2 == 1 {
			stopped, start = b.in, b.startIn
		}
		stopped.Signal(unix.SIGTERM)
		stopped.WantExit(0)
		start()
	}
	producer.WantExit(0)
	b.out.WantExit(0)
	b.in.WantExit(0)
	consumer.WantExit(0)
	if said := consumer.Stderr.String(); !strings.Contains(said, "verified 60,000 messages: none missing, repeated or damaged") {
		t.Errorf("the consumer says:\n%s", said)
	}
}

// A second bridge on the subject is refused, with who is there, and the first one goes on.
func TestBridge_SubjectTaken(t *testing.T) {
	t.Parallel()
	b := newBridged(t, "--follow")
	consumer := testenv.Start(t, "consumer", "--name", b.far, "--report", "0", "--follow")
	testenv.Start(t, "producer", "--name", b.near, "--report", "0", "--count", "10").WantExit(0)
	testenv.EventuallyHeader(t, b.far, "messages", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 10 })
	other := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", other, "--report", "0", "--count", "10").WantExit(0)
	b.start("out", other).WantError(4, "another bridge is on the subject", fmt.Sprintf("process %d on host", b.out.Cmd.Process.Pid), "stop that bridge")
	b.start("in", testenv.SegmentName(t)).WantError(4, "another bridge is on the subject", fmt.Sprintf("process %d on host", b.in.Cmd.Process.Pid), "stop that bridge")
	testenv.Start(t, "producer", "--name", b.near, "--report", "0", "--count", "10").WantExit(0)
	testenv.EventuallyHeader(t, b.far, "more messages", func(h *layout.Header) bool { return h.Count(layout.Consumer) == 20 })
	consumer.Signal(unix.SIGTERM)
	consumer.WantExit(0)
}

// A ring that has its consumer or producer is not bridged.
func TestBridge_RoleTaken(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, testenv.Options{})
	b := &bridged{t: t, url: url, near: testenv.SegmentName(t), far: testenv.SegmentName(t)}
	testenv.Start(t, "producer", "--name", b.near, "--report", "0", "--rate", "1")
	testenv.Start(t, "consumer", "--name", b.near, "--report", "0")
	testenv.EventuallyConsumed(t, b.near, 1)
	b.start("out", b.near).WantError(4, b.near, "a bridge takes the place of the consumer")
	b.start("in", b.near).WantError(4, b.near, "a bridge takes the place of the producer")
}

func TestBridge_Transfer_Refused(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, testenv.Options{})
	b := &bridged{t: t, url: url, near: testenv.SegmentName(t)}
	testenv.Start(t, "producer", testenv.TransferArgs(b.near, "--rate", "1")...)
	testenv.EventuallyHeader(t, b.near, "a segment", func(*layout.Header) bool { return true })
	b.start("out", b.near).WantError(2, b.near, "transfer", "a bridge connects rings")
}

// One bridge for all rings that a pattern matches: those that are there, and those that come. What
// each has sent is on a subject of its own.
func TestBridge_Pattern_JoinsAndLeaves(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, testenv.Options{})
	pattern, names := testenv.SegmentNames(t, 4)
	args := []string{"out", pattern, "--nats", url, "--stream", "S", "--format", "json", "--report", "0"}
	count := func(i int) string { return fmt.Sprint(100 * (i + 1)) }
	last := len(names) - 1
	for i, name := range names[:last] {
		testenv.Start(t, "producer", "--name", name, "--report", "0", "--count", count(i)).WantExit(0)
	}
	slow := testenv.Start(t, "producer", "--name", names[last], "--report", "0", "--rate", "10")
	p := testenv.Start(t, "bridge", args...)
	for i, name := range names[:last] {
		wantLeft(t, p, name, 100*(i+1))
	}
	testenv.WantNoSegment(t, names[0])
	// Again, while the slow one keeps the bridge alive.
	testenv.Start(t, "producer", "--name", names[0], "--report", "0", "--count", "50").WantExit(0)
	testenv.Eventually(t, "the second stream of "+names[0], func() bool { return strings.Count(p.Stderr.String(), "the stream is complete") == last+1 })
	slow.Signal(unix.SIGTERM)
	p.WantExit(0)
	all := p.Reports()
	if sum := all[len(all)-1]; sum["name"] != nil || sum["final"] != true || sum.Num("rings") != float64(len(names)) {
		t.Errorf("the last report is %v", sum)
	}

	for i, name := range names[:last] { // over there
		consumer := testenv.Start(t, "consumer", "--name", name, "--report", "0", "--follow")
		in := testenv.Start(t, "bridge", "in", name, "--nats", url, "--stream", "S", "--report", "0", "--follow")
		want := 100 * (i + 1)
		if i == 0 {
			want += 50
		}
		testenv.EventuallyHeader(t, name, "all messages", func(h *layout.Header) bool { return h.Count(layout.Consumer) == uint64(want) })
		in.Signal(unix.SIGTERM)
		in.WantExit(0)
		consumer.Signal(unix.SIGTERM)
		consumer.WantExit(0)
	}
}

// wantLeft waits for the last report on a ring and expects that many messages in it.
func wantLeft(t *testing.T, p *testenv.Process, name string, want int) {
	t.Helper()
	testenv.Eventually(t, "the last report on "+name, func() bool {
		for _, r := range p.Reports() {
			if r["name"] == name && r["final"] == true {
				if got := r.Num("consumedCount"); got != float64(want) {
					t.Fatalf("%s: %v messages sent, want %d", name, got, want)
				}
				return true
			}
		}
		return false
	})
}

// A ring that has a consumer is skipped while that is there; one that is named ends the command.
func TestBridge_Pattern_RingWithConsumer_Skipped(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, testenv.Options{})
	pattern, names := testenv.SegmentNames(t, 2)
	args := []string{"--nats", url, "--stream", "S", "--format", "json", "--report", "0"}
	testenv.Start(t, "producer", "--name", names[0], "--report", "0", "--rate", "100")
	consumer := testenv.Start(t, "consumer", "--name", names[0], "--report", "0")
	testenv.EventuallyConsumed(t, names[0], 1)
	testenv.Start(t, "producer", "--name", names[1], "--report", "0", "--rate", "100")
	p := testenv.Start(t, "bridge", append([]string{"out", pattern}, args...)...)
	p.EventuallyPrints("skipped for now: ")
	testenv.Start(t, "bridge", append([]string{"out", names[0], testenv.SegmentName(t)}, args...)...).WantError(4, names[0])
	testenv.EventuallyConsumed(t, names[1], 10)
	consumer.Signal(unix.SIGTERM)
	consumer.WantExit(0)
	testenv.EventuallyHeader(t, names[0], "a bridge", func(h *layout.Header) bool {
		return h.ConsumerLink.Holder.Load() == h.ConsumerStats.Generation.Load()
	})
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	for _, name := range names {
		if _, err := os.Stat(shm.Path(name)); err != nil {
			t.Errorf("after the bridge has stopped: %v", err)
		}
	}
}
