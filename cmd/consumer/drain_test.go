package main_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// slow starts a consumer of 100 messages that takes that long for each, and waits until it is
// at it.
func slow(t *testing.T, name, work string, args ...string) *testenv.Process {
	t.Helper()
	testenv.Start(t, "producer", "--name", name, "--count", "100").WantExit(0)
	c := testenv.Start(t, "consumer", append([]string{"--name", name, "--work", work, "--verify", "--follow"}, args...)...)
	testenv.EventuallyHeader(t, name, "the first message", func(h *layout.Header) bool { return h.Count(layout.Consumer) > 0 })
	return c
}

func TestStop_NoDrain_LeavesRest(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := slow(t, name, "100ms")
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	if h := testenv.Header(name); h == nil || h.Count(layout.Consumer) > 90 {
		t.Error("it did not stop at once")
	}
}

func TestStop_Drain_TakesRest(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := slow(t, name, "10ms", "--drain", "1m")
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	testenv.WantNoSegment(t, name)
}

func TestStop_Drain_EndsAfterItsTime(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := slow(t, name, "20ms", "--drain", "100ms")
	began := time.Now()
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("it stopped after %v", took)
	}
	if h := testenv.Header(name); h == nil || h.Count(layout.Consumer) == 100 {
		t.Error("there is nothing left")
	}
}

func TestStop_Drain_SecondSignalEndsIt(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := slow(t, name, "1s", "--drain", "2m")
	c.SignalTwice()
	c.WantExit(1)
	if testenv.Header(name) == nil {
		t.Error("there is nothing left")
	}
}

// A producer that is killed together with its consumer still seems alive for a short time: here
// it does, until the consumer was asked to stop. On a machine that stands still it may live
// for longer than that moment.
func TestStop_Drain_ProducerKilledMeanwhile_TakesRest(t *testing.T) {
	t.Parallel()
	const tries = 10
	for range tries {
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", "--name", name, "--rate", "1000")
		c := testenv.Start(t, "consumer", "--name", name, "--work", "2ms", "--drain", "1m")
		testenv.EventuallyHeader(t, name, "a queue that a consumer works on", func(h *layout.Header) bool {
			return h.Count(layout.Consumer) > 0 && h.Count(layout.Producer) > h.Count(layout.Consumer)+200
		})
		c.Signal(unix.SIGTERM)
		time.Sleep(20 * time.Millisecond)
		p.Kill()
		c.WantExit(0)
		h := testenv.Header(name)
		if h == nil || h.Count(layout.Consumer) == h.Count(layout.Producer) {
			return
		}
		t.Logf("%d of %d messages were taken", h.Count(layout.Consumer), h.Count(layout.Producer))
	}
	t.Error("never drained")
}

// A live producer keeps its messages for the next consumer, so this one need not wait.
func TestStop_Drain_LiveProducer_EndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--mode", mode, "--rate", "10000")
		c := testenv.Start(t, "consumer", "--name", name, "--work", "10ms", "--drain", "1m")
		testenv.EventuallyHeader(t, name, "a queue that a consumer works on", func(h *layout.Header) bool {
			return h.Count(layout.Consumer) > 0 && h.Count(layout.Producer) > h.Count(layout.Consumer)+100
		})
		c.Signal(unix.SIGTERM)
		c.WantExit(0)
	}
}

// The numbers of the lost messages are used up, and a later consumer knows.
func TestVerify_MessagesLostBeforeAttach_NoFault(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	first := testenv.Start(t, "consumer", "--name", name, "--work", "1ms", "--follow")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--limit", "64MiB")...)
	testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > 3000 })
	p.Kill()
	p = testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "100")...)
	testenv.EventuallyHeader(t, name, "a loss", func(h *layout.Header) bool { return h.ConsumerStats.Lost.Load() > 0 })
	testenv.EventuallyHeader(t, name, "an empty queue", func(h *layout.Header) bool { return h.Count(layout.Producer) < h.Count(layout.Consumer)+100 })
	first.Signal(unix.SIGTERM)
	first.WantExit(0)
	second := testenv.Start(t, "consumer", "--name", name, "--verify", "--follow")
	testenv.EventuallyHeader(t, name, "another consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 2 })
	testenv.EventuallyConsumed(t, name, 20)
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	second.Signal(unix.SIGTERM)
	second.WantExit(0)
}
