package ring

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"sluice/internal/format"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/shm"
)

// slotReader is the consumer's end of a ring with fixed slots, but for what is in them. Its index
// is the number of messages that it has released.
type slotReader struct {
	// What the fast paths use comes first, in one cache line; see slotWriter.

	pos       uint64        // number of the next message: those before it are taken
	stop      layout.Uint64 // how far pos may move in the fast path: to the next sample, or seen. 0 from Close on
	released  uint64        // messages that are released: Index
	own, flag *layout.Uint64
	slotMemory

	readerSide
	seen layout.Uint64 // the Writer's index, as last seen. Close loads it too
}

// arrived returns nil when message pos is there. See slotWriter.room.
func (r *slotReader) arrived(ctx context.Context, slow func(*slotReader, context.Context) error) error {
	if r.pos < r.stop.Load() {
		return nil
	}
	return slow(r, ctx)
}

// release releases the messages up to pos. The release store of Index comes after all loads from
// their slots; for the load of the flag, see slotWriter.publish.
func (r *slotReader) release(pos uint64, slow func(*slotReader)) {
	r.released = pos
	r.own.StoreRelease(pos)
	if r.flag.Load() != 0 {
		slow(r)
	}
}

// init makes r the end of the ring in mem.
func (r *slotReader) init(mem Memory, opt ReaderOptions) error {
	if err := opt.check(); err != nil {
		return err
	}
	r.readerSide = newReaderSide(mem, opt)
	r.own, r.slotMemory = &r.ownCursor.Index, newSlotMemory(mem)
	pos, err := r.begin(opt)
	if err != nil {
		return err
	}
	r.pos, r.released = pos.Index, pos.Index
	r.seen.Store(r.pos)
	r.stop.Store(r.pos)
	r.setFlag()
	if _, err := r.refresh(); err != nil {
		return err
	}
	return nil
}

// Released returns how many messages this end has released. The segment need not be readable any
// more.
func (r *slotReader) Released() uint64 { return r.finalCount(r.released) - r.startCount }

// Held returns how many messages were taken and not released. Those that Close finds count until
// Release, which then only ends their slots.
func (r *slotReader) Held() int { return int(r.pos - r.released) }

// Buffered reports whether Next would return at once, without looking at the Writer.
func (r *slotReader) Buffered() bool { return r.pos != r.seen.LoadRelaxed() && !r.gate.Closed() }

// arrivedSlow is the slow path of arrived: it waits for message pos.
func arrivedSlow(r *slotReader, ctx context.Context) error {
	r.gate.Enter()
	if err := r.waitForNext(ctx); err != nil {
		return r.endCall(ctx, err)
	}
	r.takeOne()
	r.gate.Leave()
	return nil
}

// tryArrived is arrivedSlow that never waits: ErrEmpty when there is no message now.
func tryArrived(r *slotReader, ctx context.Context) error {
	r.gate.Enter()
	if err := r.lookForNext(); err != nil {
		return r.endCall(ctx, err)
	}
	r.takeOne()
	r.gate.Leave()
	return nil
}

// lookForNext is waitForNext that does not wait: ErrEmpty.
func (r *slotReader) lookForNext() error {
	if r.pos != r.seen.LoadRelaxed() {
		return r.beginSlow()
	}
	ok, err := r.ready()
	if !ok && err == nil {
		err = r.foundNothing()
	}
	return err
}

// waitForNext waits until there is a message at pos.
func (r *slotReader) waitForNext(ctx context.Context) error {
	if r.pos != r.seen.LoadRelaxed() {
		return r.beginSlow()
	}
	err := r.waitFor(ctx, nextSlot{r})
	r.setFlag()
	return err
}

// take notes the time of those of the next n messages that are samples, and are taken now. They are
// counted once they are released. It returns where the next sample after them is, or the end of
// what was seen.
func (r *slotReader) take(n uint64) (next uint64) {
	seen := r.seen.LoadRelaxed()
	if next = r.samples.Next(r.pos, seen); next-r.pos >= n {
		return next
	}
	now := monotonic.Now()
	for next-r.pos < n {
		r.samples.Take(now)
		next = r.samples.Next(r.pos, seen)
	}
	r.ownStats.ProgressAt.StoreRelaxed(now)
	return next
}

// takeOne lets the fast path take the next message, and those after it up to the next sample.
func (r *slotReader) takeOne() {
	r.stop.Store(r.take(1)) // a full fence
	if r.gate.Closed() {
		r.stop.Store(0) // as Close has done, maybe before
	}
}

// endCall ends a call that took nothing, and returns its error for the caller.
func (r *slotReader) endCall(ctx context.Context, err error) error {
	r.gate.Leave()
	if err == ErrClosed {
		r.stop.Store(0) // Close is about to do that; until then arrived would succeed
		if r.pos == r.released {
			r.forget()
		}
	}
	return r.callError(ctx, err)
}

// forget is called when the end is found closed, and the caller uses no slot any more: the memory
// may be unmapped, so what a fast path stores from here on goes elsewhere.
func (r *slotReader) forget() {
	r.own, r.flag = new(layout.Uint64), new(layout.Uint64)
	r.closeState.slicesReleased()
}

// setFlag makes every release take the slow path where a Writer cannot do without full fences. It
// comes after every wait and every wake, which may find that out.
func (r *slotReader) setFlag() {
	if r.gate.Closed() { // and the memory may be gone
		return
	}
	r.flag = &r.mem.Header.ProducerSleep.Flag
	if r.sleeper.FullFence() {
		r.flag = alwaysSet
	}
}

// refresh looks at the Writer and reports whether there is a message.
func (r *slotReader) refresh() (bool, error) {
	index := r.peerCursor.Index.Load()
	if index == r.pos {
		return false, nil
	}
	// Measured from what was released: what is published and what is held share the ring.
	if ahead := index - r.released; ahead > r.mask+1 || ahead < r.pos-r.released {
		return false, fmt.Errorf("%w: write index %d with read index %d in a ring of %d slots", ErrCorrupt, index, r.released, r.mask+1)
	}
	r.seen.StoreRelaxed(index)
	r.samples.Refresh()
	return true, nil
}

// beginSlow counts the samples that were released. An error says why nothing can be taken any more.
func (r *slotReader) beginSlow() error {
	if r.gate.Closed() {
		return ErrClosed
	}
	r.samples.Count(r.released)
	return nil
}

// ready looks for a message, or the end of the stream.
func (r *slotReader) ready() (bool, error) {
	if err := r.beginSlow(); err != nil {
		return false, err
	}
	ok, err := r.refresh()
	if err == nil {
		r.tellMissed(!ok)
	}
	if ok || err != nil {
		return ok, err
	}
	return r.end(r.refresh, r.pos == r.released)
}

// releaseSlow is the slow path of release, which has stored Index.
func releaseSlow(r *slotReader) {
	r.gate.Enter()
	if r.gate.Closed() { // what is held stays for the next Reader
		r.gate.Leave()
		return
	}
	r.sleeper.Streams(r.released)
	if r.sleeper.FullFence() {
		r.own.Store(r.released)
	}
	r.index, r.count = r.released, r.released
	if r.sleeper.PeerSleeps() {
		r.wake()
	}
	r.setFlag()
	r.gate.Leave()
}

// ReleaseN releases the oldest n of the messages that are held, as Release does all of them. The
// slots of the others stay valid.
//
// Preconditions: n is from 0 to Held.
func (r *slotReader) ReleaseN(n int) {
	if n < 0 || n > r.Held() {
		if r.gate.Closed() {
			return
		}
		panic(fmt.Sprintf("ring: ReleaseN(%d) with %d messages held", n, r.Held()))
	}
	r.release(r.released+uint64(n), releaseSlow)
}

// window takes the messages from pos on that are there and lie in a row, at least one and at most
// most, and returns how many. It waits for the first.
func (r *slotReader) window(ctx context.Context, most int) (n uint64, err error) {
	if most < 1 {
		panic(fmt.Sprintf("ring: Window(%d): want at least 1", most))
	}
	r.gate.Enter()
	if err := r.waitForNext(ctx); err != nil {
		return 0, r.endCall(ctx, err)
	}
	n = r.takeWindow(most)
	r.gate.Leave()
	return n, nil
}

// tryWindow is window that never waits: ErrEmpty when there is no message now.
func (r *slotReader) tryWindow(most int) (n uint64, err error) {
	if most < 1 {
		panic(fmt.Sprintf("ring: TryWindow(%d): want at least 1", most))
	}
	r.gate.Enter()
	if err := r.lookForNext(); err != nil {
		return 0, r.endCall(background, err)
	}
	n = r.takeWindow(most)
	r.gate.Leave()
	return n, nil
}

// takeWindow takes the messages from pos on that are there and lie in a row, one at least, and at
// most most.
func (r *slotReader) takeWindow(most int) (n uint64) {
	n = min(uint64(most), r.seen.LoadRelaxed()-r.pos, r.mask+1-r.pos&r.mask)
	// Asked for together, the lines arrive in parallel. One message after the other, the processor
	// sees to that by itself.
	r.prefetchRead(r.pos, n)
	r.take(n)
	r.pos += n // beyond stop perhaps, which then sends the next call to the slow path
	return n
}

// putBack makes the last n messages that were taken the next ones again.
func (r *slotReader) putBack(n uint64) { r.pos -= n }

// nextSlot is the condition of a Reader that waits for the next message.
type nextSlot struct{ r *slotReader }

func (c nextSlot) Ready() (bool, error) { return c.r.ready() }
func (c nextSlot) ahead() bool          { return c.r.peerCursor.Index.Load() != c.r.pos }
func (c nextSlot) arrived() uint64      { return (c.r.seen.LoadRelaxed() - c.r.pos) * c.r.size }
func (c nextSlot) common() *readerSide  { return &c.r.readerSide }
func (c nextSlot) Over() func() bool    { return c.r.over() }

func (r *slotReader) member() member { return nextSlot{r} }

// WakeAt asks for any message.
func (c nextSlot) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return c.r.pos + 1, c.r.pos + 1, 0
}

// Deadlocked returns ErrUnreleased if everything published was taken and the Writer waits for slots
// that are held: it waits for the caller, and the caller for it.
func (c nextSlot) Deadlocked() error {
	if r := c.r; r.pos != r.released && r.sleeper.PeerWaitsFor(r.released, r.released) {
		return fmt.Errorf("%w: %s", ErrUnreleased, format.Messages(r.pos-r.released))
	}
	return nil
}

// Close releases the role, but not the messages that the caller still holds: they are delivered
// again to the next Reader. The segment is removed when its Writer is gone too, nothing is unread,
// and every stream was complete or a Reader was told that it was not; else it stays with the
// messages that Unread counts. ErrRemoved: there are some, and they are lost.
//
// Any goroutine may call it, at any time, and several at once: the first closes, and the others
// wait for it and return nil. A call that waits returns ErrClosed, and so does every later one;
// Release gives nothing back then. Messages stay readable until Release and a call for the next
// one, or until the Reader is no longer reachable. They keep their content if those that were
// published and not released are no more than 16 MiB; beyond that it changes when a next Reader has
// released them and the Writer goes on.
//
// Plain memory cannot be taken away from the Reader's goroutine: there Close comes after its last
// other call.
func (r *slotReader) Close() error {
	r.closeState.closeLock.Lock()
	defer r.closeState.closeLock.Unlock()
	if r.gate.Closed() {
		return nil
	}
	seen := r.seen.Load() // all that a call can return
	idle := r.shutDown(&r.stop, r.segment)
	c := closing{side: &r.side, seg: r.segment, idle: idle, inUse: true, keepEnd: r.keepEnd, leaveEnd: r.leaveEnd}
	if idle {
		r.sleeper.StopWatching()
		seen = r.seen.Load()
	}
	// A fast path may still take and release messages, so what is released is what the header says.
	err := shm.Guard(func() error {
		from := r.ownCursor.Index.Load()
		c.addSlots(r.mem.Data, from, seen, r.mask, r.size)
		if idle {
			r.samples.Count(from)
			if from == seen && !r.keepEnd {
				c.ends = &r.ends
				c.ends.Leave(r.peerCursor.Index.Load() == from)
			}
		}
		return nil
	})
	errs := c.leave(c.endTold)
	if c.private {
		runtime.AddCleanup(r, unmapSegment, r.segment)
	}
	return c.joined(append(errs, err))
}
