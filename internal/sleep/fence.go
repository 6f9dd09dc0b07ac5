package sleep

import (
	"time"

	"sluice/layout"
)

// FullFence reports whether a publish of this side needs a full fence behind the store of
// OwnIndex (sequentially consistent), and not only a release. It may change in Wait, Wake and
// Streams.
func (s *Sleeper) FullFence() bool { return s.full }

// Each sleep of the peer takes a barrier, an interrupt to the processor of this side: 1 to 20 us. A
// full fence behind a publish takes 5 to 10 ns, and then the peer needs no barrier. So a side
// fences while it wakes its peer once in fenceMessages or more often, and no longer once it has
// published streamMessages without that.
const (
	fenceMessages  = 64
	streamMessages = 4 * fenceMessages
)

// wokePeer is called when this side wakes its peer, before it publishes anything else.
func (s *Sleeper) wokePeer(count uint64) {
	if !s.full && count-s.wokeAt <= fenceMessages {
		s.full = true
		s.storeFence() // after the last publish without a fence, and itself one
	}
	s.wokeAt = count
}

// Streams is called between publishes, now and then, with the messages that are published. It
// reports whether it has changed FullFence, because the peer has not slept for long.
func (s *Sleeper) Streams(count uint64) (changed bool) {
	if !s.full || s.forGood || count-s.wokeAt < streamMessages {
		return false
	}
	s.full = false
	s.storeFence() // before the first publish without a fence, and itself one
	return true
}

// updateFence switches to full fences for good when the peer cannot issue a barrier, and
// says so, which lets the peer sleep for longer than unfencedPoll.
func (s *Sleeper) updateFence() {
	if !s.forGood && layout.Fence(s.words.PeerFence.Load()) == layout.FenceFull {
		s.full, s.forGood = true, true
		s.storeFence()
	}
}

func (s *Sleeper) storeFence() {
	fence := layout.FenceAsymmetric
	switch {
	case s.forGood:
		fence = layout.FenceFull
	case s.full:
		fence = layout.FenceForNow
	}
	s.words.OwnFence.Store(uint64(fence))
}

// peerFences reports whether the peer fences its publishes. If it stops, it does that with a full
// fence, and then finds the flag that this side has stored before it asked.
func (s *Sleeper) peerFences() bool {
	fence := layout.Fence(s.words.PeerFence.Load())
	return fence == layout.FenceFull || fence == layout.FenceForNow
}

// unfenced reports whether the peer may publish without a fence that this side cannot supply.
func (s *Sleeper) unfenced() bool {
	return !s.barrier && layout.Fence(s.words.PeerFence.Load()) == layout.FenceAsymmetric
}

// checkBarrier is called when a whole poll interval has passed and what this side sleeps for
// is there. If the flag is up, the peer has published it without seeing the flag, so the
// barrier did not reach it: the kernel may pass over a processor, see docs/protocol.md.
// From then on this side asks the peer for full fences.
//
// A peer that is between its publish and its look at the flag clears it within unfencedPoll.
func (s *Sleeper) checkBarrier() {
	if !s.barrier || s.forGood || !reached(s.words.Own, s.words.PeerIndex.Load(), s.words.PeerCount.Load()) {
		return
	}
	time.Sleep(unfencedPoll)
	if s.words.Own.Flag.Load() == s.number {
		s.giveUpBarrier()
	}
}

// giveUpBarrier makes this side ask its peer for full fences.
func (s *Sleeper) giveUpBarrier() {
	s.barrier, s.full, s.forGood = false, true, true
	s.storeFence()
}
