package sleep

import (
	"time"

	"sluice/internal/futex"
	"sluice/layout"
)

// PeerSleeps reports whether the peer sleeps or is about to. A publisher asks after the store
// of OwnIndex, and calls Wake if so.
func (s *Sleeper) PeerSleeps() bool { return s.words.Peer.Flag.Load() != 0 }

// Wake is called after a publish of that position that found PeerSleeps. It wakes the peer if
// it sleeps for that or less, and once a sleep: whoever clears the flag does it, and later
// publishes find it down.
//
// Each sleep has its own number, and only the one that was looked at is ended. The peer may
// see the publish by itself meanwhile, and fall asleep again; a swap would take that next
// sleep's flag, and with it the wake that it needs. When the numbers differ, the peer looks
// at the index after this publish anyway.
func (s *Sleeper) Wake(index, count uint64) {
	s.updateFence()
	number := s.words.Peer.Flag.Load()
	if number == 0 || !reached(s.words.Peer, index, count) || !s.words.Peer.Flag.CompareAndSwap(number, 0) {
		return
	}
	s.wokePeer(count)
	// An error means that the memory is gone; the next touch reports it.
	if _, err := futex.Wake(s.words.OwnIndex.Futex(), 1); err == nil {
		s.words.Stats.WakesSent.AddRelaxed(1)
	}
}

// PeerWaitsFor reports whether the peer sleeps for more than that position.
func (s *Sleeper) PeerWaitsFor(index, count uint64) (more bool) {
	return s.PeerSleeps() && !reached(s.words.Peer, index, count)
}

// reached reports whether a position is what the side that sleeps there asked for.
func reached(by *layout.SleepState, index, count uint64) bool {
	return int64(index-by.Index.Load()) >= 0 && int64(count-by.Count.Load()) >= 0
}

// WakeForEnd wakes a sleeping peer for something that changes no index, whatever it asked for,
// and leaves its flag up: it may sleep on. A peer that is just falling asleep has looked
// before and would miss the wake: as long as its flag is up and the kernel knows of no
// sleeper, it is tried again, up to a millisecond.
func WakeForEnd(w Words) {
	for try := range 10 {
		if w.Peer.Flag.Load() == 0 {
			return
		}
		if try == 0 {
			w.Stats.WakesSent.AddRelaxed(1)
		}
		if woken, err := futex.Wake(w.OwnIndex.Futex(), 1); woken > 0 || err != nil {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// CheckWake returns why the kernel does not let this process wake others. A publish has no
// error, and the peer of such a side would sleep to the end of a poll interval each time.
func CheckWake() error {
	_, err := futex.Wake(new(uint32), 1)
	return err
}
