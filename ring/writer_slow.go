package ring

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice/internal/cpu"
	"sluice/internal/endpoint"
	"sluice/layout"
)

func (w *Writer) reserveSlow(ctx context.Context, n int) ([]byte, error) {
	fits, err := w.canReserve(n)
	if err != nil {
		return nil, w.callError(ctx, endpoint.OpSend, err)
	}
	if !fits {
		if w.tail != w.index {
			w.publish() // nothing staged may outlive a sleep
		}
		if err := w.waitOrGiveUp(ctx, roomFor{w}); err != nil {
			if w.state == disconnected {
				w.stop.Store(0) // there may be room for a smaller message
			}
			return nil, w.callError(ctx, endpoint.OpSend, err)
		}
		w.sampleOften(w.staged)
	}
	return w.take(n), nil
}

func (w *Writer) sendSlow(ctx context.Context, msg []byte) error {
	if w.onFull == Drop && !w.waits() && w.stillFull(len(msg)) {
		w.reserved = -1
		return w.giveUp(1)
	}
	buf, err := w.reserveSlow(ctx, len(msg))
	if err != nil {
		return err
	}
	copy(buf, msg)
	w.commit(len(msg))
	w.publish()
	return nil
}

// stillFull reports that there is as little room for n bytes as at the last look, because the
// Reader has released nothing since. It is one load for a message that a full ring drops, of which
// there may be many a microsecond.
func (w *Writer) stillFull(n int) bool {
	return w.full.tail == w.tail && w.full.need > 0 && layout.RecordSize(uint64(n)) >= w.full.need && n <= w.MaxMessage() &&
		w.index == w.tail && w.peerCursor.Index.Load() == w.limit-w.mem.Geometry.Capacity && !w.gate.Closed()
}

// canReserve reports whether n bytes can be reserved now. It looks at the Reader if what was last
// seen of it leaves no room.
func (w *Writer) canReserve(n int) (bool, error) {
	if w.gate.Closed() { // and Close may be using the rest of w
		return false, ErrClosed
	}
	if n < 0 {
		w.gate.Leave()
		panic(fmt.Sprintf("ring: Reserve(%d): negative size", n))
	}
	w.reserved = -1
	if n > w.MaxMessage() {
		return false, fmt.Errorf("%w: %d bytes, at most %d fit", ErrTooLarge, n, w.MaxMessage())
	}
	w.need = layout.RecordSize(uint64(n))
	if w.blocked() {
		return false, nil
	}
	fits, err := w.hasRoom(), error(nil)
	if !fits {
		fits, err = w.refresh()
		w.full.tail, w.full.need = w.tail, w.need
	}
	if fits {
		w.found(w.halfFree())
	}
	return fits, err
}

// hasRoom reports whether need bytes and a slot are free, going by what was last
// seen of the Reader.
func (w *Writer) hasRoom() bool {
	return w.need <= w.limit-w.tail && w.staged < w.slotLimit
}

// halfFree reports whether half of the ring is free, going by what was last seen of the Reader.
func (w *Writer) halfFree() bool {
	g := &w.mem.Geometry
	return w.limit-w.tail >= g.Capacity/2 && w.slotLimit-w.staged >= g.Slots/2
}

// refresh looks at the Reader and reports whether there is room.
func (w *Writer) refresh() (bool, error) {
	// Index before Count: the Reader stores them the other way round, so this
	// count is never behind this index.
	seen := endpoint.Position{Index: w.peerCursor.Index.Load()}
	seen.Count = w.peerCursor.Count.Load()
	if err := checkDistance(&w.mem.Geometry, endpoint.Position{Index: w.index, Count: w.count}, seen); err != nil {
		return false, err
	}
	w.noteDepth(w.staged, seen.Count)
	limit, slotLimit := seen.Index+w.mem.Geometry.Capacity, uint64(math.MaxUint64)
	if slots := w.mem.Geometry.Slots; slots > 0 {
		slotLimit = seen.Count + slots
	}
	if limit != w.limit || slotLimit != w.slotLimit { // a ring that stays full costs no fence
		w.limit, w.slotLimit = limit, slotLimit
		w.setStop()
	}
	return w.hasRoom(), nil
}

// setStop combines all reasons to leave the fast path into one index: no room, no slot,
// a look at the sampler due, lines to prefetch. A message moves tail by at least a record
// header, so m messages fit into the fast path as long as tail moves by less
// than m headers.
func (w *Writer) setStop() {
	messages := distance(min(w.slotLimit, w.sampler.next), w.staged)
	w.stop.Store(w.tail + min(w.limit-w.tail, messages*layout.RecordHeader, distance(w.prefetched, w.tail))) // a full fence
	if w.gate.Closed() || w.state == disconnected {
		w.stop.Store(0) // as Close has done, maybe before
	}
}

// distance returns how far a is ahead of b, 0 when it is behind.
func distance(a, b uint64) uint64 { return uint64(max(0, int64(a-b))) }

// prefetchStep is how far ahead of tail cache lines are prefetched, and how many bytes at a
// time. A store to a line that the Reader's processor owns waits in the store buffer, whose few
// entries are soon full of such stores; prefetched early and together, the lines arrive in
// parallel. docs/protocol.md has the measurements.
const prefetchStep = 2048

// prefetch prefetches the lines that the next messages go to, as far as they are
// free: what lies beyond the limit is still the Reader's.
func (w *Writer) prefetch() {
	if distance(w.prefetched, w.tail) > 0 {
		return
	}
	w.prefetched = w.tail&^63 + prefetchStep
	if next := w.prefetched; next+prefetchStep <= w.limit {
		cpu.PrefetchWrite(&w.mem.Data[next&w.mask], prefetchStep/64)
	}
}

// take makes the reservation that canReserve has found room for.
func (w *Writer) take(n int) []byte {
	w.reserved = n
	w.sleeper.Streams(w.count)
	w.prefetch()
	w.setStop()
	return w.payload(w.tail, n)
}

// wakeReader wakes a sleeping Reader.
func (w *Writer) wakeReader() {
	w.wake()
	w.sampleOften(w.staged)
	w.setStop()
}

// roomFor is the condition of a Writer that waits for room for need bytes.
type roomFor struct{ w *Writer }

func (c roomFor) Ready() (bool, error) {
	if c.w.gate.Closed() {
		return false, ErrClosed
	}
	ok, err := c.w.refresh()
	if !ok && err == nil {
		err = c.w.checkTimeout()
	}
	return ok, err
}

// hysteresis is how long a blocked Writer insists on an eighth of the ring.
const hysteresis = time.Millisecond

// WakeAt asks for an eighth of the ring at first, so that a fast Reader pays for one wake-up
// in thousands of messages. A Reader that does not get that far within a millisecond is slow
// enough to be asked for the first message that makes room.
func (c roomFor) WakeAt(asleep time.Duration) (index, count uint64, timeout time.Duration) {
	w, g := c.w, c.w.mem.Geometry
	free, slots := w.need, uint64(1)
	if asleep < hysteresis {
		free, slots, timeout = max(w.need, g.Capacity/8), max(1, g.Slots/8), hysteresis
	}
	index = w.tail + free - g.Capacity
	count = w.staged - layout.MaxCapacity // long reached
	if g.Slots > 0 {
		count = w.staged + slots - g.Slots
	}
	return index, count, w.pollAfter(timeout)
}

// Deadlocked returns errAbsent when nobody was there for too long.
func (c roomFor) Deadlocked() error { return c.w.checkAbsence() }
