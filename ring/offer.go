package ring

import (
	"context"

	"sluice/internal/endpoint"
	"sluice/layout"
)

// A message for several rings is sent in two steps, so that an error in between leaves it out of
// all of them: wait for room in those whose policy is Block (AwaitRoom, Room), then send to all
// without a wait (Offer). Only the Writer takes room away, so what the first step has found stays.

// AwaitRoom waits until there is room for a message of n bytes, and counts no message. It returns
// nil at once if the policy is another one than Block and there is no BlockTimeout, and when nobody
// was there for MaxAbsence: Offer gives the message up then. Other errors are those of Reserve. A
// reservation is dropped.
//
// When BlockTimeout is over it returns nil too, and no call waits for this ring again until half of
// it is free: so a Reader that is slower all the time holds up the other rings once, and not for
// each message.
func (w *Writer) AwaitRoom(ctx context.Context, n int) error {
	if n >= 0 && w.tail+layout.RecordSize(uint64(n)) <= w.stop.Load() {
		return nil
	}
	w.gate.Enter()
	return w.endCall(w.awaitRoom(ctx, n))
}

func (w *Writer) awaitRoom(ctx context.Context, n int) error {
	for {
		fits, err := w.canReserve(n)
		switch {
		case err != nil:
			return w.callError(ctx, endpoint.OpSend, err)
		case fits || !w.waitsAgain():
			return nil
		}
		if w.tail != w.index {
			w.publish() // nothing staged may outlive a sleep
		}
		if err := w.awaited(w.waitForRoom(ctx, roomFor{w})); err != nil {
			return w.callError(ctx, endpoint.OpSend, err)
		}
		w.sampleOften(w.staged)
	}
}

// Room is AwaitRoom for the first of msgs, of which there is at least one. It returns how many of
// them, the first ones, Offer sends, or gives up for another reason than that nobody has waited.
func (w *Writer) Room(ctx context.Context, msgs [][]byte) (n int, err error) {
	for n == 0 { // a Reader may come after AwaitRoom has found nobody: it is waited for
		if err := w.AwaitRoom(ctx, len(msgs[0])); err != nil {
			return 0, err
		}
		w.gate.Enter()
		if w.gate.Closed() { // and Close may be using the rest of w
			return 0, w.endCall(ErrClosed)
		}
		if !w.waitsAgain() {
			n = len(msgs)
		} else if n = w.fitting(msgs); n < len(msgs) {
			if _, err = w.refresh(); err == nil {
				n = w.fitting(msgs)
			}
		}
		if err = w.endCall(w.callError(ctx, endpoint.OpSend, err)); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// fitting returns how many of msgs there is room for, going by what was last seen of the Reader.
func (w *Writer) fitting(msgs [][]byte) (n int) {
	room := min(w.limit-w.tail, layout.MaxCapacity)
	slots := w.slotLimit - w.staged
	for ; n < len(msgs) && uint64(n) < slots; n++ {
		size := layout.RecordSize(uint64(len(msgs[n])))
		if size > room {
			break
		}
		room -= size
	}
	return n
}

// Offer sends those of msgs for which there is room, the first ones, and publishes them together.
// It does not wait: the others are given up, and counted, as the policy says: ErrDropped or
// ErrFull. With Block they are missed: after a Room that is so only if nobody was there for
// MaxAbsence. It returns how many were sent.
func (w *Writer) Offer(msgs [][]byte) (sent int, err error) {
	w.gate.Enter()
	for {
		if sent += w.stageRow(msgs[sent:]); sent == len(msgs) {
			break
		}
		n := len(msgs[sent])
		fits, lookErr := w.canReserve(n)
		if err = w.callError(background, endpoint.OpSend, lookErr); err != nil {
			break
		}
		if !fits {
			if w.tail != w.index {
				w.publish()
			}
			err = w.giveUp(uint64(len(msgs) - sent))
			if w.state == disconnected {
				w.stop.Store(0) // there may be room for a smaller message
			}
			break
		}
		copy(w.take(n), msgs[sent])
		w.commit(n)
		sent++
	}
	switch {
	case w.gate.Closed():
		err = ErrClosed // Close publishes what is staged, once this call is over
	case w.tail != w.index:
		w.publish()
	}
	return sent, w.endCall(err)
}

// awaitOne is AwaitRoom.
func (w *slotWriter) awaitOne(ctx context.Context) error {
	if w.pos < w.stop.Load() {
		return nil
	}
	w.gate.Enter()
	_, err := w.awaitSlot(ctx)
	if err == nil {
		w.prefetch()
		w.setStop()
		w.gate.Leave()
		return nil
	}
	return w.endCall(ctx, err)
}

// awaitSlot waits for a free slot, and reports whether there is one: else messages are given up.
func (w *slotWriter) awaitSlot(ctx context.Context) (bool, error) {
	for {
		ok, err := w.lookForRoom()
		if ok || err != nil || !w.waitsAgain() {
			return ok, err
		}
		if w.staged > 0 {
			w.publishStaged() // nothing staged may outlive a sleep
		}
		w.index, w.count = w.pos, w.pos // the fast path leaves them behind
		err = w.awaited(w.waitForRoom(ctx, freeSlot{w}))
		w.setFlag()
		if err != nil {
			return false, err
		}
		w.sampleOften(w.pos)
	}
}

// roomFor returns how many of n messages, at least one, can be sent now, or are given up for
// another reason than that nobody has waited.
func (w *slotWriter) roomFor(ctx context.Context, n int) (int, error) {
	w.gate.Enter()
	ok, err := w.awaitSlot(ctx)
	if ok && err == nil && w.waits() && w.limit-w.tail() < uint64(n) {
		if err = w.refresh(); err == nil {
			n = int(min(uint64(n), w.limit-w.tail()))
		}
	}
	if err != nil {
		return 0, w.endCall(ctx, err)
	}
	return n, w.endCall(ctx, nil)
}

// offer has up to n messages written by fill and publishes them, and gives the others up. fill gets
// the number of the first message and how many lie in a row from there.
func (w *slotWriter) offer(n int, fill func(pos, n uint64)) (sent int, err error) {
	w.gate.Enter()
	for sent < n && err == nil {
		ok := false
		if ok, err = w.lookForRoom(); err != nil {
			break
		}
		if !ok {
			if w.staged > 0 {
				w.publishStaged()
			}
			w.index, w.count = w.pos, w.pos // the fast path leaves them behind
			err = w.giveUp(uint64(n - sent))
			break
		}
		tail := w.tail()
		row := min(uint64(n-sent), w.limit-tail, w.mask+1-tail&w.mask)
		fill(tail, row)
		w.staged += row
		sent += int(row)
	}
	if w.staged > 0 && !w.gate.Closed() {
		w.publishStaged()
	}
	pos := w.pos
	if err = w.endCall(background, err); err != nil {
		return sent, err
	}
	return sent, w.outcome(pos)
}

// AwaitRoom is [Writer.AwaitRoom]. It does not look at n, which is the size of a slot.
func (w *SlotWriter) AwaitRoom(ctx context.Context, n int) error { return w.awaitOne(ctx) }

// Room is [Writer.Room].
func (w *SlotWriter) Room(ctx context.Context, msgs [][]byte) (n int, err error) {
	return w.roomFor(ctx, len(msgs))
}

// Offer is [Writer.Offer].
//
// Preconditions: every message has the size of a slot.
func (w *SlotWriter) Offer(msgs [][]byte) (sent int, err error) {
	w.reserved = false
	return w.offer(len(msgs), func(pos, n uint64) {
		to := w.bytesAt(pos, n)
		for _, msg := range msgs[:n] {
			to = to[copy(to, msg[:w.size]):]
		}
		msgs = msgs[n:]
	})
}

// AwaitRoom is [Writer.AwaitRoom].
func (w *WriterOf[T]) AwaitRoom(ctx context.Context) error { return w.awaitOne(ctx) }

// Room is [Writer.Room] for n values, n at least 1.
func (w *WriterOf[T]) Room(ctx context.Context, n int) (int, error) { return w.roomFor(ctx, n) }

// Offer is [Writer.Offer].
func (w *WriterOf[T]) Offer(vs []T) (sent int, err error) {
	return w.offer(len(vs), func(pos, n uint64) {
		copy(valuesAt[T](&w.slotMemory, pos, n), vs)
		vs = vs[n:]
	})
}
