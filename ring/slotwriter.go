package ring

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/shm"
)

// slotWriter is the producer's end of a ring with fixed slots, but for what is in them. Its index
// is the number of messages that it has published: one release store publishes, and a kill at any
// instruction leaves nothing to repair.
type slotWriter struct {
	// What the fast paths use comes first, in one cache line.

	pos  uint64        // number of the next message: those before it are published
	stop layout.Uint64 // how far pos may move in the fast path: setStop. 0 from Close on
	// own is this side's Index. flag is the Reader's sleep flag, or alwaysSet where a publish
	// needs a full fence: then each takes the slow path, which issues it.
	own, flag *layout.Uint64
	slotMemory

	writerSide
	staged uint64 // messages from pos on that are written, and published next: SlotWriter.Commit

	limit uint64 // the Reader's index, as last seen, plus bound
	bound uint64 // messages in flight, at most

	prefetched uint64 // up to where lines were asked for: at pos, the next ones are
	step       uint64 // slots that are prefetched at once, a power of two; 0 = none are
}

// alwaysSet is a flag that is never 0.
var alwaysSet = func() *layout.Uint64 { u := new(layout.Uint64); u.Store(1); return u }()

// room returns nil when the slot of message pos is free.
//
// This is a fast path, as publish and slotReader.arrived and release are. They have no gate to pass
// (package gate), so Close can never know that no call is under way, and takes the memory away from
// all of them (closing.leave). Each takes its slow path as a parameter, because the compiler gives
// the call of a parameter a lower cost than that of a known function. Only so do they, and the
// methods that call them, inline into the loop of the caller, where nothing is left of the
// parameter; machinecode_test.go checks that.
func (w *slotWriter) room(ctx context.Context, slow func(*slotWriter, context.Context) error) error {
	if w.pos < w.stop.Load() {
		return nil
	}
	return slow(w, ctx)
}

// publish publishes the messages up to pos. The release store of Index covers what was stored in
// their slots. The load of the flag may overtake that store, which the barrier of a Reader that
// falls asleep makes up for (package sleep).
func (w *slotWriter) publish(pos uint64, slow func(*slotWriter)) {
	w.pos = pos
	if pos <= w.stop.Load() {
		w.own.StoreRelease(pos)
		if w.flag.Load() == 0 {
			return
		}
	}
	slow(w)
}

// pushed publishes message pos, which is written, and for which the fast path of room has found a
// free slot: there is no other reason to leave the fast path then but Close.
//
// Close sets stop to 0, lets all processors pass a fence, and then takes the memory away, each in
// this order; here the store of Index comes before the load of stop. So if that is not 0, the store
// was performed before the memory was taken away, and the message is published. Else it was before
// or after that, which Close knows.
func (w *slotWriter) pushed(slow func(*slotWriter) error) error {
	w.pos++
	w.own.StoreRelease(w.pos)
	if w.stop.Load() != 0 && w.flag.Load() == 0 {
		return nil
	}
	return slow(w)
}

// init makes w the end of the ring in mem.
func (w *slotWriter) init(mem Memory, opt WriterOptions) error {
	if err := opt.check(); err != nil {
		return err
	}
	g := mem.Geometry
	w.writerSide = newWriterSide(mem, opt)
	w.own, w.slotMemory = &w.ownCursor.Index, newSlotMemory(mem)
	w.bound = g.MaxMessages()
	w.step = prefetchSlots(g)
	pos, err := w.begin(opt)
	if err != nil {
		return err
	}
	w.pos, w.prefetched = pos.Index, pos.Index
	w.setFlag()
	return w.refresh()
}

// prefetchSlots returns how many slots are prefetched at once: prefetchStep bytes of them, a power
// of two. Large slots are left to the processor, which recognizes their stores one after the other,
// and so is a ring that is not much larger than that.
func prefetchSlots(g layout.Geometry) uint64 {
	if g.SlotSize >= prefetchStep/4 || g.Capacity < 4*prefetchStep {
		return 0
	}
	step := uint64(1)
	for step*g.SlotSize < prefetchStep {
		step *= 2
	}
	return step
}

// MaxMessage returns the size of every message, in bytes: that of a slot.
func (w *slotWriter) MaxMessage() int { return int(w.size) }

// Published returns how many messages this end has published. The segment need not be readable any
// more.
func (w *slotWriter) Published() uint64 { return w.finalCount(w.pos) - w.startCount }

// SetDue says when the messages that follow were due: when they should have been sent, however long
// the producer was kept from it. The Reader counts their response times from there. It holds for
// each message that is published until the next SetDue; the zero Time says that what follows is due
// at no time, as it is without SetDue. A time with a monotonic reading, as time.Now and sums with
// it have, is exact.
//
// The Writer's goroutine calls it, at a cost of some ns. When the Writer is closed it does nothing.
func (w *slotWriter) SetDue(at time.Time) {
	dueAt := endpoint.DueAt(at)
	w.gate.Enter()
	if !w.gate.Closed() && w.setDue(dueAt, w.tail()) { // else Close may be using the sampler
		w.setStop()
	}
	w.gate.Leave()
}

// tail is the number of the message that is written next.
func (w *slotWriter) tail() uint64 { return w.pos + w.staged }

// roomSlow is the slow path of room. It does what the policy says when the ring is full.
func roomSlow(w *slotWriter, ctx context.Context) error {
	w.gate.Enter()
	ok, err := w.lookForRoom()
	if !ok && err == nil {
		err = w.awaitRoom(ctx)
	}
	return w.endCall(ctx, err)
}

// tryRoom is roomSlow that never waits and gives up no message: ErrFull when there is no room.
func tryRoom(w *slotWriter, ctx context.Context) error {
	w.gate.Enter()
	ok, err := w.lookForRoom()
	if !ok && err == nil {
		err = ErrFull
	}
	return w.endCall(ctx, err)
}

// lookForRoom reports whether the next slot is free. It looks at the Reader if what was last seen
// of it leaves no room.
func (w *slotWriter) lookForRoom() (bool, error) {
	if w.gate.Closed() { // and Close may be using the rest of w
		return false, ErrClosed
	}
	if w.blocked() {
		return false, nil
	}
	var err error
	if w.tail() == w.limit {
		err = w.refresh()
	}
	if w.tail() == w.limit {
		return false, err
	}
	w.found(w.limit-w.tail() >= w.bound/2)
	return true, err
}

// awaitRoom gives the message up, or waits for room, as the policy says.
func (w *slotWriter) awaitRoom(ctx context.Context) error {
	if w.staged > 0 {
		w.publishStaged() // nothing staged may outlive a sleep
	}
	w.index, w.count = w.pos, w.pos // the fast path leaves them behind
	waits := w.waits()
	err := w.waitOrGiveUp(ctx, freeSlot{w})
	if waits {
		w.setFlag()
	}
	if err == nil {
		w.sampleOften(w.pos)
	}
	return err
}

// endCall ends a slow path, and returns its error for the caller.
func (w *slotWriter) endCall(ctx context.Context, err error) error {
	if err == nil {
		w.prefetch()
		w.setStop()
		w.gate.Leave()
		return nil
	}
	w.gate.Leave()
	if err == ErrClosed {
		w.forget()
	}
	return w.callError(ctx, endpoint.OpSend, err)
}

// forget is called when the end is found closed, and the caller uses no slot any more: the memory
// may be unmapped, so what a fast path stores from here on goes elsewhere.
func (w *slotWriter) forget() {
	w.stop.Store(0) // Close is about to do that; until then room would succeed
	w.own, w.flag = new(layout.Uint64), new(layout.Uint64)
	w.closeState.slicesReleased()
}

// refresh looks at the Reader.
func (w *slotWriter) refresh() error {
	seen := w.peerCursor.Index.Load()
	if err := checkDistance(&w.mem.Geometry, endpoint.Position{Index: w.pos}, endpoint.Position{Index: seen}); err != nil {
		return err
	}
	w.limit = seen + w.bound
	if int64(w.limit-w.tail()) < 0 { // a Writer before this one took more than that
		w.limit = w.tail()
	}
	w.noteDepth(w.tail(), seen)
	return nil
}

// setStop combines all reasons to leave the fast path: no free slot, a look at the sampler due,
// lines to prefetch, a message that is staged.
func (w *slotWriter) setStop() {
	n := min(w.limit-w.pos, distance(w.sampler.next, w.pos))
	if w.step > 0 {
		n = min(n, distance(w.prefetched, w.pos))
	}
	if w.staged > 0 || w.state == disconnected {
		n = 0
	}
	w.stop.Store(w.pos + n) // a full fence
	if w.gate.Closed() {
		w.stop.Store(0) // as Close has done, maybe before
	}
}

// setFlag makes every publish take the slow path where a Reader cannot do without full fences. It
// comes after every wait and every wake, which may find that out.
func (w *slotWriter) setFlag() {
	if w.gate.Closed() { // and the memory may be gone
		return
	}
	w.flag = &w.mem.Header.ConsumerSleep.Flag
	if w.sleeper.FullFence() {
		w.flag = alwaysSet
	}
}

// prefetch prefetches the lines that the next messages go to, as far as they are free: what lies
// beyond the limit is still the Reader's. Writer.prefetch says why.
func (w *slotWriter) prefetch() {
	if w.step == 0 || distance(w.prefetched, w.pos) > 0 {
		return
	}
	w.prefetched = w.pos&^(w.step-1) + w.step
	w.prefetchAt(w.prefetched, w.step)
}

// prefetchAt prefetches n slots from a message on, if they are free and do not wrap around.
func (w *slotWriter) prefetchAt(from, n uint64) {
	if from+n <= w.limit && from&w.mask+n <= w.mask+1 {
		w.prefetchWrite(from, n)
	}
}

// publishSlow is the slow path of publish. It stores Index, which the fast path may have stored
// already.
func publishSlow(w *slotWriter) {
	w.gate.Enter()
	if w.gate.Closed() { // the caller may be about to write another slot of a window
		w.gate.Leave()
		return
	}
	if int64(w.pos-w.limit) > 0 {
		w.pos--
		w.gate.Leave()
		panic("ring: Publish without a slot")
	}
	w.store()
	w.setStop()
	w.gate.Leave()
}

// pushedSlow is the slow path of pushed, which has stored Index.
func pushedSlow(w *slotWriter) error {
	w.gate.Enter()
	if !w.gate.Closed() {
		w.store()
		w.setStop()
	}
	w.gate.Leave()
	return w.outcome(w.pos)
}

// pushOne is pushed where the fast path of room has not found the slot: it publishes a sample too,
// if one is due.
func (w *slotWriter) pushOne() error {
	w.gate.Enter()
	if w.gate.Closed() {
		w.gate.Leave()
		w.forget()
		return ErrClosed
	}
	w.pos++
	w.store()
	w.setStop()
	w.gate.Leave()
	return w.outcome(w.pos)
}

// outcome returns the error of a call that has published the messages up to pos, once it has left
// the gate: ErrClosed if there was a Close before they had reached the memory that the Reader
// shares. Close waits for the call, but not for ever.
func (w *slotWriter) outcome(pos uint64) error {
	if !w.gate.Closed() { // loaded after the store of Index: see pushed
		return nil
	}
	w.forget()
	if int64(w.finalCount(0)-pos) >= 0 {
		return nil
	}
	return ErrClosed
}

// store stores Index, with a sample if one is due, and wakes a Reader that sleeps. Close calls it
// too, when the caller may have found the end closed, and be in forget.
func (w *slotWriter) store() {
	if last := w.pos - 1; w.sampler.due(last) {
		w.stageSample(last, last)
	}
	if w.samples.Staged() {
		w.publishSamples()
	}
	if w.sleeper.Streams(w.pos) {
		w.setFlag()
	}
	if own := &w.ownCursor.Index; w.sleeper.FullFence() {
		own.Store(w.pos)
	} else {
		own.StoreRelease(w.pos)
	}
	w.index, w.count = w.pos, w.pos
	if w.sleeper.PeerSleeps() {
		w.wake()
		w.setFlag()
		w.sampleOften(w.pos)
	}
}

// publishStaged publishes what is staged.
func (w *slotWriter) publishStaged() {
	w.pos += w.staged
	w.staged = 0
	w.store()
}

// window returns how many slots from pos on are free and lie in a row, at least one and at most
// most. It waits as roomSlow does.
func (w *slotWriter) window(ctx context.Context, most int) (n uint64, err error) {
	if most < 1 {
		panic(fmt.Sprintf("ring: Window(%d): want at least 1", most))
	}
	w.gate.Enter()
	n = min(uint64(most), w.mask+1-w.pos&w.mask)
	ok, err := w.lookForRoom()
	if ok && w.limit-w.pos < n {
		err = w.refresh() // for a whole one
	}
	if !ok && err == nil {
		err = w.awaitRoom(ctx)
	}
	if err != nil {
		return 0, w.endCall(ctx, err)
	}
	n = min(n, w.limit-w.pos)
	// The next window of this size, while this one is written.
	w.prefetchAt(w.pos+n, n)
	w.gate.Leave()
	return n, nil
}

// publishN publishes the first n slots of a window. It returns ErrClosed if it did not, because the
// end is closed.
func (w *slotWriter) publishN(n int) error {
	w.gate.Enter()
	switch {
	case w.gate.Closed():
		w.gate.Leave()
		w.forget()
		return ErrClosed
	case n < 0 || uint64(n) > w.limit-w.tail():
		w.gate.Leave()
		panic(fmt.Sprintf("ring: PublishN(%d) with %d free slots", n, w.limit-w.tail()))
	case n > 0:
		w.pos += uint64(n) // beyond stop perhaps, which then sends the next call to the slow path
		w.store()
	}
	pos := w.pos // Close may move it, once it has not to wait any more
	w.gate.Leave()
	return w.outcome(pos)
}

// freeSlot is the condition of a Writer that waits for a slot.
type freeSlot struct{ w *slotWriter }

func (c freeSlot) Ready() (bool, error) {
	if c.w.gate.Closed() {
		return false, ErrClosed
	}
	err := c.w.refresh()
	ok := err == nil && c.w.tail() != c.w.limit
	if !ok && err == nil {
		err = c.w.checkTimeout()
	}
	return ok, err
}

// WakeAt asks for an eighth of the ring at first: roomFor.WakeAt says why.
func (c freeSlot) WakeAt(asleep time.Duration) (index, count uint64, timeout time.Duration) {
	free := uint64(1)
	if asleep < hysteresis {
		free, timeout = max(1, c.w.bound/8), hysteresis
	}
	index = c.w.tail() + free - c.w.bound
	return index, index, c.w.pollAfter(timeout)
}

// Deadlocked returns errAbsent when nobody was there for too long.
func (c freeSlot) Deadlocked() error { return c.w.checkAbsence() }

// Drain waits until the Reader has released everything, this one or one that is still to come. It
// returns nil then, and else the cause of ctx, ErrClosed after a Close, or ErrCorrupt: what is not
// released stays in the ring for the next Reader (Unread). The wait counts as blocked.
func (w *slotWriter) Drain(ctx context.Context) error {
	w.gate.Enter()
	defer w.gate.Leave()
	if w.gate.Closed() { // and Close may be using the rest of w
		w.stop.Store(0) // as it is about to do. What Slot has returned stays as it is
		return ErrClosed
	}
	if w.staged > 0 {
		w.publishStaged()
	}
	w.index, w.count = w.pos, w.pos
	err := w.drain(ctx, w.refresh)
	w.setFlag()
	w.setStop()
	return err
}

// Close ends the stream and releases the role. The segment is removed when its Reader is gone too
// and has taken everything; else it stays with the messages that Unread counts. ErrRemoved: there
// are some, and they are lost.
//
// Any goroutine may call it, at any time, and several at once: the first closes, and the others
// wait for it and return nil. A call that waits returns ErrClosed, and so does every later one;
// Publish does nothing then. A call that sends, and is under way, returns what was sent exactly;
// it may wait for Close to end, to know. Publish and PublishN have no error to return: Published
// says how many messages were published. Slots stay readable and writable until the next call for
// one, or until the Writer is no longer reachable; their content is unspecified, and what is
// written there is discarded.
//
// Plain memory cannot be taken away from the Writer's goroutine: there Close comes after its last
// other call.
func (w *slotWriter) Close() error { return w.close(false) }

// Abort is Close that gives up: the stream ends as [layout.EndFailed], so that the Reader gets
// ErrIncomplete once it has taken what was published.
func (w *slotWriter) Abort() error { return w.close(true) }

func (w *slotWriter) close(abort bool) error {
	w.closeState.closeLock.Lock()
	defer w.closeState.closeLock.Unlock()
	if w.gate.Closed() {
		return nil
	}
	idle := w.shutDown(&w.stop, w.segment)
	c := closing{side: &w.side, seg: w.segment, idle: idle, inUse: true, end: w.end, startCount: w.startCount, resumes: w.resumes}
	if abort {
		c.end = layout.EndFailed
	}
	var err error
	if idle {
		w.sleeper.StopWatching()
		err = shm.Guard(func() error {
			w.beginLast()
			if w.staged > 0 && !abort { // by calls that pass the gate, so nobody uses pos now
				w.publishStaged()
			}
			return nil
		})
		c.startCount, c.before = w.streamStart, w.before
	}
	errs := c.leave(w.mayRemove)
	if c.private {
		runtime.AddCleanup(w, unmapSegment, w.segment)
	}
	return c.joined(append(errs, err))
}
