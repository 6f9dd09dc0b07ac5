package ring

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
)

// SlotWriter is the producer's end of a ring with fixed slots that carries bytes: every message has
// the size of a slot. One goroutine at a time may use it; Close and Abort may be called from any.
// Its calls are those of a [Writer], except for windows, and that a message of another size is
// ErrSize.
type SlotWriter struct {
	slotWriter
	reserved bool
}

// NewSlotWriter takes the producer role in any memory with a valid header of fixed slots. The
// caller makes sure that there is only one. WriterOptions.Capacity and Slots are ignored: the
// geometry is mem's. Errors: ErrOption, ErrType for a ring of records, and ErrCorrupt for cursors
// that make no sense.
func NewSlotWriter(mem Memory, opt WriterOptions) (*SlotWriter, error) {
	if err := checkFixed(mem.Geometry); err != nil {
		return nil, err
	}
	w := new(SlotWriter)
	if err := w.init(mem, opt); err != nil {
		return nil, err
	}
	return w, nil
}

// Reserve returns the next free slot, for a message of n bytes, which is the size of a slot; else
// it is ErrSize. It is ring memory, valid until Commit; nobody else sees it before Publish. It
// waits and fails as [WriterOf.Slot] does. It panics when n is negative.
func (w *SlotWriter) Reserve(ctx context.Context, n int) ([]byte, error) {
	if n < 0 {
		panic(fmt.Sprintf("ring: Reserve(%d): negative size", n))
	}
	return w.reserve(ctx, n, true)
}

// TryReserve is Reserve that never waits and gives up no message: ErrFull, which counts nothing,
// when there is no room now.
func (w *SlotWriter) TryReserve(n int) ([]byte, error) {
	return w.reserve(context.Background(), n, false)
}

func (w *SlotWriter) reserve(ctx context.Context, n int, wait bool) ([]byte, error) {
	w.gate.Enter()
	buf, err := w.next(ctx, n, wait)
	if err != nil {
		return nil, w.endCall(ctx, err)
	}
	w.reserved = true
	w.gate.Leave()
	return buf, nil
}

// next returns the next free slot for a message of n bytes, within a call that has passed the gate.
// Nothing is reserved.
func (w *SlotWriter) next(ctx context.Context, n int, wait bool) ([]byte, error) {
	ok, err := w.lookForRoom()
	if err == ErrClosed {
		return nil, err
	}
	w.reserved = false
	switch {
	case n != int(w.size):
		err = fmt.Errorf("%w: %d bytes, every message has %d", ErrSize, n, w.size)
	case ok || err != nil:
	case wait:
		err = w.awaitRoom(ctx)
	default:
		err = ErrFull
	}
	if err != nil {
		return nil, err
	}
	w.prefetch()
	return w.bytesAt(w.tail(), 1), nil
}

// Commit stages the reservation as a message. It is not visible yet. When the Writer is closed it
// does nothing, whatever n is.
//
// Preconditions: a reservation is open, and n is the size of a slot.
func (w *SlotWriter) Commit(n int) {
	w.gate.Enter()
	defer w.gate.Leave()
	switch {
	case w.gate.Closed():
	case !w.reserved:
		panic(fmt.Sprintf("ring: Commit(%d) without a reservation", n))
	case n != int(w.size):
		panic(fmt.Sprintf("ring: Commit(%d) with slots of %d bytes", n, w.size))
	default:
		w.staged++
		w.reserved = false
	}
}

// Discard drops the open reservation: nothing of it is sent. Without one it does nothing.
func (w *SlotWriter) Discard() {
	w.gate.Enter()
	if !w.gate.Closed() {
		w.reserved = false
	}
	w.gate.Leave()
}

// Publish makes all staged messages visible to the Reader and wakes it if it sleeps. With nothing
// staged it does nothing.
func (w *SlotWriter) Publish() {
	w.gate.Enter()
	if !w.gate.Closed() && w.staged > 0 {
		w.publishStaged()
	}
	w.gate.Leave()
}

// Flush is Publish: a ring holds nothing back that was published.
func (w *SlotWriter) Flush() { w.Publish() }

// Send copies msg into a slot and publishes it, with whatever was staged before. It waits and fails
// as Reserve does; on failure msg was not sent.
func (w *SlotWriter) Send(ctx context.Context, msg []byte) error {
	w.gate.Enter()
	buf, err := w.next(ctx, len(msg), true)
	if err != nil {
		return w.endCall(ctx, err)
	}
	copy(buf, msg)
	w.staged++
	w.publishStaged()
	pos := w.pos
	w.gate.Leave()
	return w.outcome(pos)
}

// SendBatch copies all msgs into slots and publishes them together, or earlier in parts when they
// do not fit at once. It returns how many were accepted before an error; those are published, and
// no others.
func (w *SlotWriter) SendBatch(ctx context.Context, msgs [][]byte) (n int, err error) {
	w.gate.Enter()
	first := w.tail()
	for _, msg := range msgs {
		var buf []byte
		if buf, err = w.next(ctx, len(msg), true); err != nil {
			break
		}
		copy(buf, msg)
		w.staged++
		n++
	}
	switch {
	case w.gate.Closed():
		err = ErrClosed // Close publishes what is staged, once this call is over
	case w.staged > 0:
		w.publishStaged()
	}
	err = w.endCall(ctx, err)
	if n > 0 && w.gate.Closed() { // an Abort has dropped what was staged, say
		n = min(n, int(max(0, int64(w.finalCount(0)-first))))
		if n == len(msgs) {
			return n, nil
		}
		err = cmp.Or(err, ErrClosed)
	}
	return n, err
}

// Window publishes what is staged, and returns free slots that lie in a row, one after the other:
// at least one, at most most, and fewer where the ring has no more room or wraps around. They are
// ring memory, valid until PublishN. It waits and fails as Reserve does when there is not one. It
// drops a reservation, and panics when most is less than 1.
func (w *SlotWriter) Window(ctx context.Context, most int) ([]byte, error) {
	w.Discard()
	w.Publish()
	n, err := w.window(ctx, most)
	if err != nil {
		return nil, err
	}
	return w.bytesAt(w.pos, n), nil
}

// PublishN makes the first n slots of a window visible to the Reader, and wakes it if it sleeps.
// The others are free again. When the Writer is closed it does nothing.
//
// Preconditions: n is from 0 to the number of slots in the window.
func (w *SlotWriter) PublishN(n int) { w.publishN(n) }

// SlotReader is the consumer's end of a ring with fixed slots that takes bytes: every message has
// the size of a slot, whatever type the producer has stored there. One goroutine at a time may use
// it; Close may be called from any. Its calls are those of a [Reader], and windows.
type SlotReader struct{ slotReader }

// NewSlotReader takes the consumer role in any memory with a valid header of fixed slots. The
// caller makes sure that there is only one. Errors: ErrOption, ErrType for a ring of records, and
// ErrCorrupt for cursors that make no sense.
func NewSlotReader(mem Memory, opt ReaderOptions) (*SlotReader, error) {
	if err := checkFixed(mem.Geometry); err != nil {
		return nil, err
	}
	r := new(SlotReader)
	if err := r.init(mem, opt); err != nil {
		return nil, err
	}
	return r, nil
}

// Next returns the next message without copying it, as [ReaderOf.Next] does.
func (r *SlotReader) Next(ctx context.Context) ([]byte, error) {
	if err := r.arrived(ctx, arrivedSlow); err != nil {
		return nil, err
	}
	r.pos++
	return r.bytesAt(r.pos-1, 1), nil
}

// TryNext is Next that never waits: ErrEmpty when there is no message now, or io.EOF when there
// will be none.
func (r *SlotReader) TryNext() ([]byte, error) {
	if err := r.arrived(context.Background(), tryArrived); err != nil {
		return nil, err
	}
	r.pos++
	return r.bytesAt(r.pos-1, 1), nil
}

// Release gives the slot of every message taken so far back to the Writer and wakes it if it waits
// for that. Their slices are invalid from here on.
func (r *SlotReader) Release() { r.release(r.pos, releaseSlow) }

// Take releases every message taken so far and returns the next one: Release and Next in one call,
// for a loop that needs a message only until it asks for the next one.
func (r *SlotReader) Take(ctx context.Context) ([]byte, error) {
	r.Release()
	return r.Next(ctx)
}

// Window takes the next messages that are there and lie in a row, without copying them: at least
// one, and at most most. It returns their bytes, one message after the other. It waits and fails as
// Next does when there is none. It panics when most is less than 1.
func (r *SlotReader) Window(ctx context.Context, most int) ([]byte, error) {
	n, err := r.window(ctx, most)
	if err != nil {
		return nil, err
	}
	return r.bytesAt(r.pos-n, n), nil
}

// NextBatch takes the messages that are there and lie in a row, without copying them, as
// [Reader.NextBatch] does.
func (r *SlotReader) NextBatch(ctx context.Context, msgs [][]byte, most int) (n int, err error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	size := int(r.size)
	slots, err := r.Window(ctx, max(1, min(len(msgs), (most-1)/size+1)))
	for ; len(slots) > 0; n++ {
		msgs[n], slots = slots[:size:size], slots[size:]
	}
	return n, err
}

// Receive appends the next message to buf[:0], releases it and returns the result, which is the
// caller's own. It waits and fails as Next does.
func (r *SlotReader) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	msg, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	buf = append(buf[:0], msg...)
	r.Release()
	return buf, nil
}

// Messages ranges over messages without copying them, releasing each after the body of the loop has
// run. It ends without an error at io.EOF; any other error, ErrIncomplete included, is the last
// pair.
func (r *SlotReader) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return messages(ctx, r.Next, r.Release)
}

// messages is Messages of either end.
func messages(ctx context.Context, next func(context.Context) ([]byte, error), release func()) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			msg, err := next(ctx)
			if err == io.EOF {
				return
			}
			if !yield(msg, err) || err != nil {
				return // the message of a loop that was left stays unreleased
			}
			release()
		}
	}
}
