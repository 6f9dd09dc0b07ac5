package sleep

import (
	"context"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestFence_PeerWithoutBarrier(t *testing.T) {
	full := uint64(layout.FenceFull)
	check := func(t *testing.T, e *end, fence *layout.Uint64) {
		t.Helper()
		if !e.FullFence() || fence.Load() != full {
			t.Errorf("full %v, said %d", e.FullFence(), fence.Load())
		}
	}
	t.Run("from the start", func(t *testing.T) {
		var h layout.Header
		h.ConsumerStats.Fence.Store(full)
		check(t, newEnd(&h, layout.Producer, never), &h.ProducerStats.Fence)
	})
	t.Run("from the first wake on", func(t *testing.T) {
		p, _, h := pair(never)
		h.ConsumerStats.Fence.Store(full)
		h.ConsumerSleep.Flag.Store(1)
		p.publish()
		check(t, p, &h.ProducerStats.Fence)
	})
	t.Run("from the first sleep on", func(t *testing.T) {
		_, c, h := pair(never)
		h.ProducerStats.Fence.Store(full)
		testenv.WantErr(t, c.next(canceled()), errWaited)
		check(t, c, &h.ConsumerStats.Fence)
	})
}

// A side that cannot issue barriers polls until its peer has said that it fences.
func TestFence_WithoutBarrierPolls(t *testing.T) {
	_, c, h := pair(never)
	for _, b := range []bool{false, true} {
		c.barrier = b
		for _, f := range []layout.Fence{layout.FenceUnknown, layout.FenceAsymmetric, layout.FenceFull} {
			h.ProducerStats.Fence.Store(uint64(f))
			if got, want := c.unfenced(), !b && f == layout.FenceAsymmetric; got != want {
				t.Errorf("barrier %v, the peer's fence %d: polls %v, want %v", b, f, got, want)
			}
		}
	}
}

// A side whose peer sleeps often fences by itself, and the peer is spared its barriers.
func TestFence_PeerSleepsOften(t *testing.T) {
	p, c, h := pair(never)
	if !c.barrier {
		t.Skip("NOT TESTED: there is no barrier to rely on")
	}
	publish := func(messages int) {
		for range messages {
			p.publish()
			p.Streams(p.count)
		}
	}
	check := func(when string, full bool, fence layout.Fence) {
		t.Helper()
		if got := layout.Fence(h.ProducerStats.Fence.Load()); p.FullFence() != full || got != fence || c.peerFences() != full {
			t.Errorf("%s: full %v, says %d, the peer relies on it: %v; want %v and %d", when, p.FullFence(), got, c.peerFences(), full, fence)
		}
	}
	publish(fenceMessages + 1)
	check("at the start", false, layout.FenceAsymmetric)
	h.ConsumerSleep.Flag.Store(1)
	publish(1)
	check("when the peer has slept once in many messages", false, layout.FenceAsymmetric)
	publish(fenceMessages - 1)
	h.ConsumerSleep.Flag.Store(2)
	publish(1)
	check("when it has slept again soon", true, layout.FenceForNow)
	publish(streamMessages - 1)
	check("as long as it may sleep again", true, layout.FenceForNow)
	publish(1)
	check("when it has not slept for long", false, layout.FenceAsymmetric)

	// A peer that cannot issue barriers has fences for good.
	h.ConsumerStats.Fence.Store(uint64(layout.FenceFull))
	h.ConsumerSleep.Flag.Store(3)
	publish(1)
	publish(2 * streamMessages)
	check("with a peer without barriers", true, layout.FenceFull)
}

// The kernel may miss a processor for a while: then the peer publishes and does not see the
// flag.
func TestFence_MissedSleeperAsksForFullFences(t *testing.T) {
	p, c, h := pair(never)
	if !c.barrier {
		t.Skip("NOT TESTED: there is no barrier to rely on")
	}
	seen := p.words.Peer
	p.words.Peer = new(layout.SleepState)
	// A side whose flag is up may not sleep yet, and then sees the message in time.
	for sleeps := uint64(1); sleeps <= 20 && !c.full; sleeps++ {
		next := testenv.Background(func() error { return c.next(context.Background()) })
		waitUntilAsleep(t, h, layout.Consumer, sleeps)
		p.publish()
		testenv.WantErr(t, next(), nil)
	}
	if got := layout.Fence(h.ConsumerStats.Fence.Load()); got != layout.FenceFull || c.barrier || !c.full {
		t.Fatalf("the sleeper says fence %d, and barrier %v, full %v", got, c.barrier, c.full)
	}
	p.words.Peer = seen
	h.ConsumerSleep.Flag.Store(1)
	p.publish()
	if got := layout.Fence(h.ProducerStats.Fence.Load()); got != layout.FenceFull || !p.full {
		t.Errorf("its peer says fence %d, and full %v", got, p.full)
	}
}

func TestFence_TimedOutSleepIsNoReason(t *testing.T) {
	for _, c := range []struct {
		name string
		flag uint64 // that is up, of sleep 7
		want uint64 // messages
	}{
		{"the peer has cleared the flag", 0, 1},
		{"less came than was asked for", 7, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			producer, consumer, h := pair(never)
			h.ConsumerSleep.Count.Store(c.want)
			producer.publish()
			consumer.number = 7
			h.ConsumerSleep.Flag.Store(c.flag)
			before := layout.Fence(h.ConsumerStats.Fence.Load())
			consumer.checkBarrier()
			if got := layout.Fence(h.ConsumerStats.Fence.Load()); got != before {
				t.Errorf("fence %d, was %d", got, before)
			}
		})
	}
}
