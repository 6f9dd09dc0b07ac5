package ring

import (
	"fmt"
	"sync/atomic"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/futex"
	"sluice/internal/gate"
	"sluice/internal/membarrier"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// Memory is a ring's memory: a header and a data region of 2*Capacity bytes.
// In a segment the second half of Data shows the first again; on plain memory
// it need not, because a record is written and read at the same offset.
// Messages begin at addresses that are multiples of 8 if Data does, as that of a
// segment.
type Memory struct {
	Header   *layout.Header
	Data     []byte
	Geometry layout.Geometry
}

// world is what only the operating system knows; *shm.Segment is one.
type peerStatus interface {
	Absent(layout.Role) bool // nobody holds the role; false where that is unknown
	Check() error            // shm.ErrRemoved, shm.ErrTruncated
}

// side is what a Writer and a Reader share: a cursor to publish, the peer's
// cursor to watch, and a way to sleep on it.
type side struct {
	mem  Memory
	role layout.Role

	ownCursor, peerCursor *layout.Cursor     // what I move, what I watch
	ownSleep, peerSleep   *layout.SleepState // how I say that I sleep, how the peer does
	ownStats, peerStats   *layout.RoleStats  // my counters, the peer's

	// The futex words: low halves of the two indices.
	ownWord, peerWord *uint32

	index, count uint64 // what is published
	full         bool   // publish with a full fence

	// barrier: this process can order its peer's publishes (membarrier.Global).
	barrier   bool
	spin      spinner
	blocked   uint64 // ns spent asleep, total of all holders of the role
	slept     uint64 // number of the last sleep
	checkedAt uint64 // when lookAround was called last

	waiting   atomic.Bool // a call waits: a second one is a misuse
	sleeper   *futex.Waiter
	watched   <-chan struct{} // of the context that interrupts the sleeper when it is done
	stopWatch func() bool
	keep      bool // leave the segment when done

	peerStatus peerStatus // nil = the peer is there, and so is the way to it

	ending        ending
	closePatience time.Duration
	gate          gate.Gate // that every call of the owner's passes, closed by Close
}

func newSide(mem Memory, role layout.Role, opt Options) side {
	h := mem.Header
	return side{
		mem: mem, role: role,
		ownCursor: h.Cursor(role), peerCursor: h.Cursor(role.Peer()),
		ownSleep: h.Sleep(role), peerSleep: h.Sleep(role.Peer()),
		ownStats: h.Stats(role), peerStats: h.Stats(role.Peer()),
		ownWord: h.Cursor(role).Index.Futex(), peerWord: h.Cursor(role.Peer()).Index.Futex(),
		barrier: layout.StoreReleaseOvertaken && membarrier.Register(),
		spin:    newSpinner(opt.Spin),
		sleeper: futex.NewWaiter(),

		closePatience: closePatience,
		peerStatus:    opt.peerStatus,
		keep:          opt.Keep,
	}
}

// attach takes over from the last holder of the role, alive or dead, and
// checks that what it left makes sense.
func (s *side) attach() (endpoint.Position, error) {
	own := endpoint.Recover(s.ownCursor)
	w, r := own, endpoint.Recover(s.peerCursor)
	if s.role == layout.Consumer {
		w, r = r, w
	}
	if err := checkDistance(s.mem.Geometry.Capacity, w, r); err != nil {
		return own, err
	}
	if own.Index%8 != 0 {
		return own, fmt.Errorf("%w: %v index %d is not a multiple of 8", ErrCorrupt, s.role, own.Index)
	}
	s.index, s.count = own.Index, own.Count
	endpoint.Repair(s.ownCursor, own)

	s.blocked = endpoint.TakeOver(s.ownStats, endpoint.Self(), monotonic.Now, s.keep)
	s.ownSleep.Flag.Store(0)

	s.full = !s.barrier
	s.ownStats.Fence.Store(uint64(layout.FenceAsymmetric))
	if s.full {
		s.ownStats.Fence.Store(uint64(layout.FenceFull))
	}
	s.updateFence()
	endpoint.Begin(s.ownStats)
	return own, nil
}

// checkDistance validates two cursors against each other: what the writer is
// ahead must fit in the ring, in whole words, and hold no more messages than
// it can.
func checkDistance(capacity uint64, w, r endpoint.Position) error {
	ahead := w.Index - r.Index
	if ahead > capacity || ahead%8 != 0 {
		return fmt.Errorf("%w: write index %d is %d ahead of read index %d in a ring of %d bytes", ErrCorrupt, w.Index, ahead, r.Index, capacity)
	}
	if n := w.Count - r.Count; n > capacity/layout.RecordHeader {
		return fmt.Errorf("%w: %d messages produced and %d consumed leave %d in a ring of %d bytes", ErrCorrupt, w.Count, r.Count, n, capacity)
	}
	return nil
}

// agreeOnFence switches to full fences for good when the peer cannot issue a
// barrier, and says so, which lets the peer sleep in long slices.
func (s *side) updateFence() {
	if !s.full && layout.Fence(s.peerStats.Fence.Load()) == layout.FenceFull {
		s.full = true
		s.ownStats.Fence.Store(uint64(layout.FenceFull))
	}
}

// wake is called after a publish that found the peer's flag up. It wakes the
// peer if that is what it sleeps for, and once a sleep: whoever clears the flag
// does it, and later publishes find it down.
//
// Each sleep has its own number, and only the one that was looked at is ended.
// The peer may see the publish by itself meanwhile, and lie down again; a swap
// would take that next sleep's flag, and with it the wake that it needs. When
// the numbers differ, the peer looks at the index after this publish anyway.
func (s *side) wake() {
	s.updateFence()
	sleep := s.peerSleep.Flag.Load()
	if sleep != 0 && reached(s.peerSleep, s.index, s.count) && s.peerSleep.Flag.CompareAndSwap(sleep, 0) {
		s.notify()
	}
}

// reached reports whether a position is what the side that sleeps there asked for.
func reached(by *layout.SleepState, index, count uint64) bool {
	return int64(index-by.Index.Load()) >= 0 && int64(count-by.Count.Load()) >= 0
}

func (s *side) notify() {
	// An error means that the memory is gone; the next touch reports it.
	if _, err := futex.Wake(s.ownWord, 1); err == nil {
		s.ownStats.WakesSent.AddRelaxed(1)
	}
}
