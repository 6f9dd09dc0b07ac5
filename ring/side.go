package ring

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/gate"
	"sluice/internal/monotonic"
	"sluice/internal/sleep"
	"sluice/layout"
)

// peerStatus is what only the operating system knows; *shm.Segment is one.
type peerStatus = sleep.SegmentStatus

// side is what a Writer and a Reader share: a cursor to publish, the peer's
// cursor to watch, and a way to sleep on it.
type side struct {
	mem  Memory
	role layout.Role

	ownCursor, peerCursor *layout.Cursor // what this side publishes, what it watches
	ownStats, peerStats   *layout.RoleStats

	index, count uint64 // what is published
	sleeper      sleep.Sleeper
	waiting      atomic.Bool // a call waits: a second one at once is a misuse
	keepSegment  bool        // leave the segment when done

	closeState   closeState
	closeTimeout time.Duration
	gate         gate.Gate // every call of the owner's passes it; Close closes it
}

func newSide(mem Memory, role layout.Role, spin time.Duration, keep bool, status peerStatus) side {
	h := mem.Header
	var peer sleep.PeerStatus // nil = it is there, and so is the way to it
	if status != nil {
		peer = sleep.PeerOf(role, status)
	}
	return side{
		mem: mem, role: role,
		ownCursor: h.Cursor(role), peerCursor: h.Cursor(role.Peer()),
		ownStats: h.Stats(role), peerStats: h.Stats(role.Peer()),
		sleeper: sleep.New(sleep.WordsOf(h, role), spin, peer),

		closeTimeout: gate.CloseTimeout,
		keepSegment:  keep,
	}
}

// attach takes over from the last holder of the role, alive or dead, and
// checks that what it left makes sense.
func (s *side) attach() (endpoint.Position, error) {
	h, g := s.mem.Header, s.mem.Geometry
	w, r := endpoint.PositionOf(h, layout.Producer), endpoint.PositionOf(h, layout.Consumer)
	own := w
	if s.role == layout.Consumer {
		own = r
	}
	if err := checkDistance(&g, w, r); err != nil {
		return own, err
	}
	if !g.Fixed() {
		if own.Index%8 != 0 {
			return own, fmt.Errorf("%w: %v index %d is not a multiple of 8", ErrCorrupt, s.role, own.Index)
		}
		endpoint.Repair(s.ownCursor, own)
	}
	s.index, s.count = own.Index, own.Count
	if s.role == layout.Producer {
		endpoint.SettleSchedule(s.mem.Header)
	}
	s.sleeper.Attach(endpoint.TakeOver(s.ownStats, endpoint.Self(), monotonic.Now, s.keepSegment))
	endpoint.Begin(s.ownStats)
	return own, nil
}

// checkDistance validates two positions against each other: what the writer is ahead must fit in
// the ring, in whole words if it has records, and hold no more messages than it can. g is not
// copied, which would take longer than all the rest.
func checkDistance(g *layout.Geometry, w, r endpoint.Position) error {
	ahead := w.Index - r.Index
	if g.Fixed() {
		if slots := g.Capacity / g.SlotSize; ahead > slots {
			return fmt.Errorf("%w: write index %d is %d ahead of read index %d in a ring of %d slots", ErrCorrupt, w.Index, ahead, r.Index, slots)
		}
		return nil
	}
	if ahead > g.Capacity || ahead%8 != 0 {
		return fmt.Errorf("%w: write index %d is %d ahead of read index %d in a ring of %d bytes", ErrCorrupt, w.Index, ahead, r.Index, g.Capacity)
	}
	if n := w.Count - r.Count; n > g.Capacity/layout.RecordHeader {
		return fmt.Errorf("%w: %d messages produced and %d consumed leave %d in a ring of %d bytes", ErrCorrupt, w.Count, r.Count, n, g.Capacity)
	}
	return nil
}

// await waits until c is ready: sleep.Sleeper.Wait.
func (s *side) await(ctx context.Context, c sleep.Condition) error {
	if !s.waiting.CompareAndSwap(false, true) {
		panic("ring: two goroutines wait in one " + s.role.String())
	}
	defer s.waiting.Store(false)
	return s.sleeper.Wait(ctx, c)
}

// wake wakes the peer, which was found asleep after a publish, if what is published is what
// it waits for.
func (s *side) wake() { s.sleeper.Wake(s.index, s.count) }
