package cmd_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// slow starts a consumer of 100 messages that takes 10 ms for each, and waits until it is at it.
func slow(t *testing.T, name string, args ...string) *proc {
	t.Helper()
	start(t, "producer", "--name", name, "--count", "100").ends(0)
	c := start(t, "consumer", append([]string{"--name", name, "--work", "10ms", "--verify", "--follow"}, args...)...)
	eventually(t, name, "the first message", func(h *layout.Header) bool { return h.Consumer.Count.Load() > 0 })
	return c
}

func TestAStoppedConsumerLeavesTheRestUnlessItIsToDrain(t *testing.T) {
	name := segmentName(t)
	c := slow(t, name)
	c.signal(unix.SIGTERM)
	c.ends(0)
	if h := header(name); h == nil || h.Consumer.Count.Load() > 90 {
		t.Error("it did not stop at once")
	}
}

func TestAConsumerThatIsToDrainTakesWhatAProducerThatEndedHasLeft(t *testing.T) {
	name := segmentName(t)
	c := slow(t, name, "--drain", "1m")
	c.signal(unix.SIGTERM)
	c.ends(0)
	gone(t, name)
}

func TestDrainingEndsAfterItsTime(t *testing.T) {
	name := segmentName(t)
	c := slow(t, name, "--drain", "100ms")
	c.signal(unix.SIGTERM)
	began := time.Now()
	c.ends(0)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("it stopped after %v", took)
	}
	if h := header(name); h == nil || h.Consumer.Count.Load() == 100 {
		t.Error("there is nothing left")
	}
}

func TestASecondSignalEndsTheDraining(t *testing.T) {
	name := segmentName(t)
	c := slow(t, name, "--drain", "1m")
	c.signal(unix.SIGTERM)
	time.Sleep(200 * time.Millisecond) // longer than what counts as one
	c.signal(unix.SIGTERM)
	c.ends(1)
	if header(name) == nil {
		t.Error("there is nothing left")
	}
}

// A producer that is killed together with its consumer still seems to live for a moment: here
// it does, until the consumer was asked to stop. On a machine that stands still it may live
// for longer than that moment.
func TestWhatAProducerThatIsJustBeingKilledHasLeftIsDrained(t *testing.T) {
	const tries = 10
	for range tries {
		name := segmentName(t)
		p := start(t, "producer", "--name", name, "--rate", "1000")
		c := start(t, "consumer", "--name", name, "--work", "2ms", "--drain", "1m")
		eventually(t, name, "a queue that a consumer works on", func(h *layout.Header) bool {
			return h.Consumer.Count.Load() > 0 && h.Producer.Count.Load() > h.Consumer.Count.Load()+200
		})
		c.signal(unix.SIGTERM)
		time.Sleep(20 * time.Millisecond)
		p.kill()
		c.ends(0)
		h := header(name)
		if h == nil || h.Consumer.Count.Load() == h.Producer.Count.Load() {
			return
		}
		t.Logf("%d of %d messages were taken", h.Consumer.Count.Load(), h.Producer.Count.Load())
	}
	t.Error("never drained")
}

// A producer that lives keeps its messages, so nobody need wait for them.
func TestNothingIsDrainedBesideALiveProducer(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		name := segmentName(t)
		start(t, "producer", "--name", name, "--mode", mode, "--rate", "10000")
		c := start(t, "consumer", "--name", name, "--work", "10ms", "--drain", "1m")
		eventually(t, name, "a queue that a consumer works on", func(h *layout.Header) bool {
			return h.Consumer.Count.Load() > 0 && h.Producer.Count.Load() > h.Consumer.Count.Load()+100
		})
		c.signal(unix.SIGTERM)
		c.ends(0)
	}
}

// The numbers of the lost messages are used up, and a later consumer knows.
func TestVerifyIsContentAfterMessagesThatWereLostLongAgo(t *testing.T) {
	name := segmentName(t)
	first := start(t, "consumer", "--name", name, "--work", "1ms", "--follow")
	p := start(t, "producer", transferring(name, "--limit", "64MiB")...)
	eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > 3000 })
	p.kill()
	p = start(t, "producer", transferring(name, "--rate", "100")...)
	eventually(t, name, "a loss", func(h *layout.Header) bool { return h.ConsumerStats.Lost.Load() > 0 })
	eventually(t, name, "an empty queue", func(h *layout.Header) bool { return h.Producer.Count.Load() < h.Consumer.Count.Load()+100 })
	first.signal(unix.SIGTERM)
	first.ends(0)
	second := start(t, "consumer", "--name", name, "--verify", "--follow")
	eventually(t, name, "another consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 2 })
	moved(t, name, 20)
	p.signal(unix.SIGTERM)
	p.ends(0)
	second.signal(unix.SIGTERM)
	second.ends(0)
}
