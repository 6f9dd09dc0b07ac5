package sleep

import (
	"time"

	"sluice/layout"
)

// FullFence reports whether a publish of this side needs a full fence behind the store of
// OwnIndex (sequentially consistent), and not only a release. It may change in Wait and Wake,
// from false to true.
func (s *Sleeper) FullFence() bool { return s.full }

// updateFence switches to full fences for good when the peer cannot issue a barrier, and
// says so, which lets the peer sleep for longer than unfencedPoll.
func (s *Sleeper) updateFence() {
	if !s.full && layout.Fence(s.words.PeerFence.Load()) == layout.FenceFull {
		s.full = true
		s.storeFence()
	}
}

func (s *Sleeper) storeFence() {
	fence := layout.FenceAsymmetric
	if s.full {
		fence = layout.FenceFull
	}
	s.words.OwnFence.Store(uint64(fence))
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
	if !s.barrier || s.full || !reached(s.words.Own, s.words.PeerIndex.Load(), s.words.PeerCount.Load()) {
		return
	}
	time.Sleep(unfencedPoll)
	if s.words.Own.Flag.Load() == s.number {
		s.barrier, s.full = false, true
		s.storeFence()
	}
}
