// Package sleep lets one side of a segment sleep until the other has moved its index, and wake
// it, so that a publish to a peer that is awake costs one load and no fence. docs/protocol.md
// has the order of all loads and stores and why no wake-up is lost; model_test.go explores
// every one of their interleavings.
//
// A [Sleeper] is given the words that it works with ([Words]), so it is the same for whatever
// moves an index: a ring's writer and reader, and others.
package sleep

import (
	"time"

	"sluice/internal/futex"
	"sluice/internal/membarrier"
	"sluice/layout"
)

// Words are the fields in shared memory that a Sleeper works with. They lie in memory that
// stays mapped as long as it is used.
type Words struct {
	// PeerIndex and PeerCount are what this side watches: the position that the peer
	// publishes. It sleeps on the low half of PeerIndex.
	PeerIndex, PeerCount *layout.Uint64
	// OwnIndex is what this side publishes; the peer sleeps on its low half.
	OwnIndex *layout.Uint64

	// Own is how this side says that it sleeps and for what, Peer how the peer does.
	Own, Peer *layout.SleepState
	// OwnFence and PeerFence say how each side orders its publishes: a layout.Fence.
	OwnFence, PeerFence *layout.Uint64

	// Stats are the counters of this side: waits, blocked time, progress, wakes.
	Stats *layout.RoleStats
}

// WordsOf returns the words of a header for the holder of a role.
func WordsOf(h *layout.Header, role layout.Role) Words {
	own, peer := role, role.Peer()
	count := &h.Cursor(peer).Count
	if h.Identity.SlotSize.Load() != 0 { // with fixed slots, Index is the count
		count = &h.Cursor(peer).Index
	}
	return Words{
		PeerIndex: &h.Cursor(peer).Index, PeerCount: count,
		OwnIndex: &h.Cursor(own).Index,
		Own:      h.Sleep(own), Peer: h.Sleep(peer),
		OwnFence: &h.Stats(own).Fence, PeerFence: &h.Stats(peer).Fence,
		Stats: h.Stats(own),
	}
}

// PeerStatus asks the operating system for the peer.
type PeerStatus interface {
	// Status reports whether nobody is known to hold the peer's role. An error ends the
	// wait: the memory is gone, or nobody can come any more.
	Status() (absent bool, err error)
}

// Sleeper waits on one side of a segment and wakes the other. One goroutine at a time may use
// it, except for Interrupt, which any may call. Make one with New; Attach comes before the
// first publish.
type Sleeper struct {
	words Words
	peer  PeerStatus // nil = the peer is there, and so is the memory

	full    bool   // publish with a full fence
	forGood bool   // because one side cannot issue barriers
	barrier bool   // this process can order its peer's publishes: membarrier.Global
	wokeAt  uint64 // messages that were published when the peer was woken last
	spin    spinner

	blocked   uint64 // ns spent asleep, total of all holders of the role
	number    uint64 // of the last sleep
	lasted    uint64 // ns, the last sleep
	checkedAt uint64 // monotonic ns of the last look at the peer's status

	waiter *futex.Waiter
	contextWatch
}

// New returns the Sleeper of the side with those words. spin is how long a wait spins before
// it sleeps: SpinAdaptive, or a time, where a negative one is none. peer may be nil.
func New(w Words, spin time.Duration, peer PeerStatus) Sleeper {
	s := NewFenced(w, spin, peer)
	s.barrier = layout.StoreReleaseOvertaken && membarrier.Register()
	return s
}

// NewFenced is New for a side that issues no barriers: it publishes with full fences, and asks its
// peer for the same. That costs some nanoseconds a publish, instead of the 10 ms that it takes to
// register for barriers: for sides that publish seldom.
func NewFenced(w Words, spin time.Duration, peer PeerStatus) Sleeper {
	return Sleeper{words: w, peer: peer, spin: newSpinner(spin), waiter: futex.NewWaiter()}
}

// Attach makes the words those of a new holder, which is not asleep. blocked is the ns that all
// holders before it have been: endpoint.TakeOver.
func (s *Sleeper) Attach(blocked uint64) {
	s.blocked = blocked
	s.words.Own.Flag.Store(0)
	s.full, s.forGood = !s.barrier, !s.barrier
	s.storeFence()
	s.updateFence()
}

// Interrupt ends a Wait that is under way, or makes the next one look at its condition and
// context again. What it is for must be visible before: the condition that has become ready,
// or fails.
func (s *Sleeper) Interrupt() { s.waiter.Interrupt() }

// Unwatch ends the goroutines that a Notifier may have needed to sleep. It is for a caller that
// will not wait again, and whose Notifier is closed. The memory is still mapped.
func (s *Sleeper) Unwatch() { s.waiter.Unwatch() }
