package cmd_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// A consumer that never came can be started, and not sped up.
func TestHints_NoConsumer(t *testing.T) {
	t.Parallel()
	ring, soft := testenv.SegmentName(t), testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", ring, "--on-full", "fail", "--slots", "3").WantHint(5, "queue is full|start a consumer|--on-full block", "speed|--capacity")
	p := testenv.Start(t, "producer", "--mode", "transfer", "--name", soft, "--limit", "64KiB")
	p.EventuallyPrints("sending has ended; waiting for a consumer of 16 queued messages (stop the producer to discard the rest)")
	p.Signal(unix.SIGTERM)
	p.WantHint(5, "memory limit|16 that no consumer has released|start a consumer first, allow more (--limit)|--buffer packs small ones together, with a --limit that is 64KiB larger", "speed|--rate")
	if said := p.Stderr.String(); !strings.Contains(said, "no consumer has received the end of the stream, which failed before its end; ") || strings.Contains(said, "complete") {
		t.Errorf("messages were lost:\n%s", said)
	}
}

// What a limit counts may be far more than the messages have bytes.
func TestHints_LimitReachedByPages(t *testing.T) {
	t.Parallel()
	limited := func(name string, args ...string) *testenv.Process {
		p := testenv.Start(t, "producer", append(args, "--mode", "transfer", "--name", name, "--limit", "256KiB")...)
		p.EventuallyPrints("sending has ended")
		p.Signal(unix.SIGTERM)
		return p
	}
	limited(testenv.SegmentName(t), "--size", "3000").WantHint(5, "memory limit|start a consumer", "counts")
	limited(testenv.SegmentName(t)).WantHint(5, "memory limit|a message counts in whole pages: --buffer", "larger")
	const rate = "--rate=20" // so that each is sent by itself
	limited(testenv.SegmentName(t), rate, "--buffer", "64KiB", "--recycle").WantHint(5, "memory limit|start a consumer|a recycled buffer counts with its full size|smaller --buffer", "")
	limited(testenv.SegmentName(t), "--size", "1000", "--buffer", "64KiB", "--recycle").WantHint(5, "memory limit", "counts")

	name := testenv.SegmentName(t)
	leaveOneMessage(t, name, testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "1", "--keep"))
	c := testenv.Start(t, "consumer", "--name", name, "--work", "1m", "--follow")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	p := testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--limit", "256KiB", rate, "--buffer", "64KiB", "--recycle")
	p.EventuallyPrints("sending has ended")
	c.Kill()
	p.Signal(unix.SIGTERM)
	p.WantHint(5, "memory limit|speed the consumer up|a recycled buffer counts with its full size|smaller --buffer", "start a consumer")
}

// leaveOneMessage stops a producer of a transfer when it has made a message, which is lost, as are
// further ones on a slow machine.
func leaveOneMessage(t *testing.T, name string, p *testenv.Process) {
	t.Helper()
	testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Count(layout.Producer) >= 1 })
	p.Signal(unix.SIGTERM)
	p.WantExit(1)
}

// The slots are what is full.
func TestHints_SlowConsumer(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1", "--slots", "3", "--keep").WantExit(0)
	testenv.Start(t, "consumer", "--name", name, "--work", "1m")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	p := testenv.Start(t, "producer", "--name", name, "--on-full", "fail")
	p.WantHint(5, "queue is full|speed the consumer up, choose more --slots", "--capacity|start a consumer")
	if said := p.Stderr.String(); !strings.Contains(said, "continuing after 1 message left unread") || strings.Contains(said, "--fresh") {
		t.Errorf("what a consumer has cannot be discarded:\n%s", said)
	}
}

// What there is to do about a segment that is there depends on who is in it.
func TestHints_SegmentInUse(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	other := func(args ...string) *testenv.Process {
		return testenv.Start(t, "producer", append(args, "--name", name, "--count", "1")...)
	}
	other().WantExit(0)
	other("--slots", "8").WantHint(2, "another geometry|with 1 unread message and no consumer|let a consumer drain it|--fresh", "stop its consumer")
	other("--mode", "transfer").WantHint(2, "ring, not transfer|reuse it with --mode ring|let a consumer drain it|--fresh", "stop its consumer")
	testenv.Start(t, "consumer", "--name", name, "--work", "1m")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	other("--slots", "8").WantHint(2, "another geometry|a live consumer|wait until its consumer", "--fresh|let a consumer")
	other("--size", "16").WantHint(2, "another type|a live consumer|wait until its consumer", "--fresh|let a consumer")
	other("--input", "main_test.go").WantHint(2, "another type|8 bytes|a live consumer|wait until its consumer", "--framing|--fresh|let a consumer")
	other("--mode", "transfer").WantHint(2, "reuse it with --mode ring|stop its consumer", "--fresh|let a consumer")
	other("--fresh").WantHint(4, "is its consumer|omit --fresh", "--name")
	testenv.Start(t, "consumer", "--name", name).WantHint(4, "is its consumer|one consumer at a time", "--name")
	testenv.Start(t, "producer", "--name", name)
	testenv.EventuallyHeader(t, name, "the producer", func(h *layout.Header) bool { return layout.State(h.ProducerStats.State.Load()) == layout.StateBlocked })
	other("--fresh").WantHint(4, "is its producer|another --name", "omit --fresh")
}

// Leaving --capacity and --slots out does not help against slots of another size.
func TestHints_SegmentOfOtherSlots(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	other := func() *testenv.Process { return testenv.Start(t, "producer", "--name", name, "--count", "1") }
	p, err := sluice.Create(t.Context(), name, sluice.ProducerOptions{SlotSize: 24, Slots: 8})
	testenv.WantErr(t, err, nil)
	testenv.WantErr(t, p.Send(t.Context(), make([]byte, 24)), nil)
	testenv.WantErr(t, p.Close(), nil)
	other().WantHint(2, "another type: 8 slots of 24 bytes, not|with 1 unread message and no consumer|let a consumer drain it|--fresh|--name", "--capacity|stop its consumer")
	c := testenv.Start(t, "consumer", "--name", name, "--work", "1m")
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	other().WantHint(2, "another type|a live consumer|wait until its consumer|choose another --name", "--capacity|--fresh|let a consumer")
	c.Kill()
	testenv.Start(t, "consumer", "--name", name, "--keep").WantExit(0)
	other().WantExit(0) // what is drained is replaced
	if h := testenv.Header(name); h == nil || h.Identity.SlotSize.Load() == 24 {
		t.Error("the drained segment was not replaced")
	}
}

func TestHints_UnreadMessagesOfAnotherFraming(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	other := func(args ...string) *testenv.Process {
		return testenv.Start(t, "producer", append(args, "--name", name, "--count", "1")...)
	}
	other("--input", "main_test.go", "--framing", "lines").WantExit(0)
	const help = "let a consumer receive them|--fresh|another --name"
	other("--input", "main_test.go").WantHint(2, "another framing: lines|with 1 unread message and no consumer|--framing lines|"+help, "wait until")
	const drain = "let a consumer drain it|--fresh|another --name"
	other().WantHint(2, "another type: records of variable size|1 unread|no consumer|"+drain, "wait until|--framing lines")
	other("--fresh").WantExit(0)
	other("--input", "main_test.go").WantHint(2, "another type|slots of 8 bytes|1 unread|no consumer|"+drain, "wait until|--framing")
}

// A consumer that listens where this producer does not connect takes nothing, however
// fast it is.
func TestHints_ConsumerListensElsewhere(t *testing.T) {
	t.Parallel()
	group := strconv.Itoa(os.Getegid())
	for _, args := range [][]string{{"--limit", "64KiB"}, {"--rate", "100"}} {
		name := testenv.SegmentName(t)
		start := func(command string, args ...string) *testenv.Process {
			return testenv.StartWith(t, command, testenv.Options{Args: append(args, "--name", name, "--group", group), Env: []string{"XDG_RUNTIME_DIR=" + testenv.PrivateDir(t)}})
		}
		leaveOneMessage(t, name, start("producer", "--mode", "transfer", "--rate", "1", "--keep"))
		start("consumer", "--follow")
		before := uint64(0)
		testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool {
			before = h.Count(layout.Producer)
			return h.ConsumerStats.Generation.Load() == 1
		})
		p := start("producer", append(args, "--mode", "transfer")...)
		if args[0] == "--rate" { // it is stopped after 0.2 s at least, unless it has given up
			testenv.Eventually(t, "20 messages", func() bool {
				return isClosed(p.Exited) || testenv.Header(name).Count(layout.Producer) > before+20
			})
			p.Cmd.Process.Signal(unix.SIGTERM)
		}
		p.Wait()
		said, code := p.Stderr.String(), 1
		// If it did not run for two seconds at its start, it has given up before.
		if args[0] == "--limit" && strings.Contains(said, "memory limit reached:") {
			code = 5
		}
		p.WantHint(code, "messages were lost|give both sides the same --socket", "speed|start a consumer")
		if !strings.Contains(said, "verdict    unconnected") || strings.Contains(said, "; delivering") {
			t.Errorf("%v:\n%s", args, said)
		}
	}
}

// A file that somebody deleted is kept for nobody.
func TestProducer_SegmentRemoved_NotCalledKept(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--slots", "3"}, {"--mode", "transfer", "--rate", "100", "--format", "text"}} {
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", append(args, "--name", name)...)
		testenv.EventuallyHeader(t, name, "something sent", func(h *layout.Header) bool { return h.Count(layout.Producer) >= 3 })
		if err := os.Remove(shm.Path(name)); err != nil {
			t.Fatal(err)
		}
		p.WantExit(1)
		if said := p.Stderr.String(); strings.Contains(said, "kept") || strings.Contains(said, "waiting for a consumer") || strings.Contains(said, "start a consumer:") || !strings.Contains(said, "the segment was removed") {
			t.Errorf("%v:\n%s", args, said)
		}
	}
}

// What a consumer does not write down is not kept, and what a dead producer had queued is
// not there for the next one.
func TestHints_ConsumerAtEndOfStream(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--count", "100", "--rate", "20")
	c := testenv.Start(t, "consumer", "--name", name)
	testenv.EventuallyConsumed(t, name, 1)
	p.Signal(unix.SIGTERM)
	c.WantHint(7, "not complete|restart both sides for the whole stream", "kept")

	p = testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "5000")
	r, w := testenv.Pipe(t)
	c = testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-", "--work", "1ms"}, Stdout: w})
	w.Close()
	testenv.EventuallyConsumed(t, name, 1)
	testenv.EventuallyHeader(t, name, "more than is handed over at once", func(h *layout.Header) bool { return h.Count(layout.Producer) > h.Count(layout.Consumer)+500 })
	c.Pause() // else it may be done with what its socket holds before its output is closed
	p.Kill()
	r.Close()
	c.Continue()
	c.WantHint(1, "broken pipe|lost because the producer has died", "next consumer")
}

// A consumer that was there and has ended did come.
func TestHints_ConsumerHasEnded(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--count", "10")
	p := testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "1000")
	c.WantExit(0)
	testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > 20 })
	p.Signal(unix.SIGTERM)
	p.WantHint(1, "messages were lost|that no consumer has released|keep a consumer running until the producer has ended", "came|start a consumer")
	if said := p.Stderr.String(); !strings.Contains(said, "there is no consumer for") || strings.Contains(said, "came for") {
		t.Errorf("the verdict:\n%s", said)
	}
}

// What loses a queue depends on who is there, and on what the producer was told.
func TestProducer_Delivery_SaysWhatEndsIt(t *testing.T) {
	t.Parallel()
	alone := testenv.Start(t, "producer", "--mode", "transfer", "--name", testenv.SegmentName(t), "--count", "1", "--duration", "4s")
	alone.WantHint(1, "1 that no consumer has released|keep a consumer running until the producer has ended", "")
	if said := alone.Stderr.String(); !strings.Contains(said, "(until --duration 4s is over; the rest is then lost)") {
		t.Errorf("%s", said)
	}
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--work", "20ms")
	p := testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "5000")
	testenv.EventuallyConsumed(t, name, 2)
	p.Signal(unix.SIGTERM)
	p.EventuallyPrints("(stop the producer again to discard the rest)")
	p.SignalTwice()
	p.WantExit(1)
	c.Kill()
}

// Who has ended is not to be stopped.
func TestConsumer_FinalReport_NoAdviceToStopIt(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--rate", "10", "--format", "json")
	testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Count(layout.Producer) > 0 })
	p.Kill()
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json")
	testenv.EventuallyHeader(t, name, "all consumed", func(h *layout.Header) bool { return h.Count(layout.Consumer) == h.Count(layout.Producer) })
	time.Sleep(300 * time.Millisecond) // in less there is nothing to say
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	if f := c.Final(); f["verdict"] != "no-producer" && f["verdict"] != "producer-bound" || strings.Contains(fmt.Sprint(f["verdictAdvice"]), "stop the consumer") {
		t.Errorf("%v: %v; %v", f["verdict"], f["verdictWhy"], f["verdictAdvice"])
	}
}

// --slots alone does not make a ring larger than the default capacity: a warning says what it has,
// and a capacity for which there is none.
func TestHints_MoreSlotsThanCapacity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags []string
		want  string // of the output; "" = no warning
	}{
		{[]string{"--slots", "10000", "--size", "300"}, "room for 2,048 messages of 300 B, not for --slots 10000\nproducer: hint: choose --capacity 8MiB\n"},
		{[]string{"--slots", "10000", "--size", "300", "--capacity", "8MiB"}, ""},
		{[]string{"--slots", "10000", "--size", "64"}, ""},
	} {
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", append([]string{"--name", name, "--count", "1", "--report", "0"}, c.flags...)...)
		p.WantExit(0)
		if out := p.Stderr.String(); strings.Contains(out, "warning") != (c.want != "") || !strings.Contains(out, c.want) {
			t.Errorf("%v: %s\nwant %q", c.flags, out, c.want)
		}
		testenv.Start(t, "consumer", "--name", name).WantExit(0)
	}
}
