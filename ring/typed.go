package ring

import (
	"context"
	"fmt"
	"io"
	"iter"
	"reflect"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/layout"
)

// WriterOf is the producer's end of a ring with fixed slots that hold values of type T. Make one
// with [CreateOf]. One goroutine at a time may use it; Close and Abort may be called from any.
//
// Slot and Publish inline into the caller's loop, where they take about a nanosecond together.
type WriterOf[T any] struct{ slotWriter }

// NewWriterOf takes the producer role in any memory with a valid header of fixed slots for a T.
// The caller makes sure that there is only one. WriterOptions.Capacity and Slots are ignored: the
// geometry is mem's. Errors: ErrOption, also for a type that cannot be shared, ErrType for slots
// of another type, and ErrCorrupt for cursors that make no sense.
func NewWriterOf[T any](mem Memory, opt WriterOptions) (*WriterOf[T], error) {
	if err := checkType[T](mem.Geometry); err != nil {
		return nil, err
	}
	w := new(WriterOf[T])
	if err := w.init(mem, opt); err != nil {
		return nil, err
	}
	return w, nil
}

// Slot returns the next free slot. It is ring memory, valid until Publish; nobody else sees it
// before that. Its old content is unspecified. Slot again without Publish returns the same slot.
//
// When the ring is full it does what the policy says: Block waits until there is room, ctx is
// done (its cause is returned) or the segment is found to be corrupt (ErrCorrupt); Drop returns
// ErrDropped and Fail ErrFull, and each counts a message that was given up, in the header's
// Dropped or RefusedMessages. After Close it is ErrClosed.
func (w *WriterOf[T]) Slot(ctx context.Context) (p *T, err error) {
	if err = w.room(ctx, roomSlow); err == nil {
		p = valueAt[T](&w.slotMemory, w.pos)
	}
	return p, err
}

// TrySlot is Slot that never waits and gives up no message: ErrFull, which counts nothing, when
// there is no room now.
func (w *WriterOf[T]) TrySlot() (p *T, err error) {
	if err = w.room(background, tryRoom); err == nil {
		p = valueAt[T](&w.slotMemory, w.pos)
	}
	return p, err
}

// Publish makes the slot that Slot has returned visible to the Reader and wakes it if it sleeps.
// When the Writer is closed it does nothing.
//
// Preconditions: Slot or TrySlot has returned it, or Window.
func (w *WriterOf[T]) Publish() { w.publish(w.pos+1, publishSlow) }

// Push publishes a copy of v. It waits and fails as Slot does; on failure v was not sent.
func (w *WriterOf[T]) Push(ctx context.Context, v T) error {
	if w.pos < w.stop.Load() {
		*valueAt[T](&w.slotMemory, w.pos) = v
		return w.pushed(pushedSlow)
	}
	if err := roomSlow(&w.slotWriter, ctx); err != nil {
		return err
	}
	*valueAt[T](&w.slotMemory, w.pos) = v
	return w.pushOne()
}

// TryPush is Push that never waits and gives up no message: ErrFull, which counts nothing, when
// there is no room now.
func (w *WriterOf[T]) TryPush(v T) error {
	if w.pos < w.stop.Load() {
		*valueAt[T](&w.slotMemory, w.pos) = v
		return w.pushed(pushedSlow)
	}
	if err := tryRoom(&w.slotWriter, background); err != nil {
		return err
	}
	*valueAt[T](&w.slotMemory, w.pos) = v
	return w.pushOne()
}

// PushAll publishes copies of all vs, as many at a time as there is room for. It returns how many
// were sent before an error.
func (w *WriterOf[T]) PushAll(ctx context.Context, vs []T) (int, error) {
	sent := 0
	for sent < len(vs) {
		window, err := w.Window(ctx, len(vs)-sent)
		if err != nil {
			return sent, err
		}
		copy(window, vs[sent:])
		if err := w.publishN(len(window)); err != nil {
			return sent, err
		}
		sent += len(window)
	}
	return sent, nil
}

// Window returns free slots that lie in a row: at least one, at most most, and fewer where the
// ring has no more room or wraps around. They are ring memory, valid until PublishN. It waits and
// fails as Slot does when there is not one. It panics when most is less than 1.
func (w *WriterOf[T]) Window(ctx context.Context, most int) ([]T, error) {
	n, err := w.window(ctx, most)
	if err != nil {
		return nil, err
	}
	return valuesAt[T](&w.slotMemory, w.pos, n), nil
}

// PublishN makes the first n slots of a window visible to the Reader, and wakes it if it sleeps.
// The others are free again. When the Writer is closed it does nothing.
//
// Preconditions: n is from 0 to the length of the window.
func (w *WriterOf[T]) PublishN(n int) { w.publishN(n) }

// ReaderOf is the consumer's end of a ring with fixed slots that hold values of type T. Make one
// with [OpenOf]. One goroutine at a time may use it; Close may be called from any.
//
// The Writer is another process, and may store any bytes in a slot, at any time: they are a T all
// the same, because a type with a value that is not, such as a pointer or a bool, is refused.
//
// Next and Release inline into the caller's loop, where they take about a nanosecond together.
type ReaderOf[T any] struct{ slotReader }

// NewReaderOf takes the consumer role in any memory with a valid header of fixed slots for a T.
// The caller makes sure that there is only one. Errors are those of NewWriterOf.
func NewReaderOf[T any](mem Memory, opt ReaderOptions) (*ReaderOf[T], error) {
	if err := checkType[T](mem.Geometry); err != nil {
		return nil, err
	}
	r := new(ReaderOf[T])
	if err := r.init(mem, opt); err != nil {
		return nil, err
	}
	return r, nil
}

// Next returns the next value without copying it. It is ring memory: valid until Release, and not
// to be written to; the Writer gets the slot back only then. Next may be called again before
// Release to hold several.
//
// When the ring is empty it waits until there is a message, ctx is done (its cause is returned),
// the producer has closed and everything was taken (io.EOF, or ErrIncomplete, unless Follow is
// set), the caller holds so much that the Writer cannot go on (ErrUnreleased), or the segment is
// found to be corrupt (ErrCorrupt). After an error nothing was taken.
func (r *ReaderOf[T]) Next(ctx context.Context) (p *T, err error) {
	if err = r.arrived(ctx, arrivedSlow); err == nil {
		p = valueAt[T](&r.slotMemory, r.pos)
		r.pos++
	}
	return p, err
}

// TryNext is Next that never waits: ErrEmpty when there is no message now, or io.EOF when there
// will be none.
func (r *ReaderOf[T]) TryNext() (p *T, err error) {
	if err = r.arrived(background, tryArrived); err == nil {
		p = valueAt[T](&r.slotMemory, r.pos)
		r.pos++
	}
	return p, err
}

// Release gives the slot of every message taken so far back to the Writer and wakes it if it
// waits for that. They are invalid from here on.
func (r *ReaderOf[T]) Release() { r.release(r.pos, releaseSlow) }

// Pop returns a copy of the next value and releases it, with all that is held. It waits and fails
// as Next does, and then returns the zero value.
func (r *ReaderOf[T]) Pop(ctx context.Context) (v T, err error) {
	if err = r.arrived(ctx, arrivedSlow); err == nil {
		v = *valueAt[T](&r.slotMemory, r.pos)
		r.pos++
		r.release(r.pos, releaseSlow)
	}
	return v, err
}

// TryPop is Pop that never waits: ErrEmpty when there is no message now, or io.EOF when there
// will be none.
func (r *ReaderOf[T]) TryPop() (v T, err error) {
	if err = r.arrived(background, tryArrived); err == nil {
		v = *valueAt[T](&r.slotMemory, r.pos)
		r.pos++
		r.release(r.pos, releaseSlow)
	}
	return v, err
}

// Window takes the next values that are there and lie in a row, without copying them: at least
// one, and at most most. It waits and fails as Next does when there is none. They are ring
// memory: valid until Release, and not to be written to. It panics when most is less than 1.
func (r *ReaderOf[T]) Window(ctx context.Context, most int) ([]T, error) {
	n, err := r.window(ctx, most)
	if err != nil {
		return nil, err
	}
	return valuesAt[T](&r.slotMemory, r.pos-n, n), nil
}

// TryWindow is Window that never waits: ErrEmpty when there is no value now, or io.EOF when there
// will be none.
func (r *ReaderOf[T]) TryWindow(most int) ([]T, error) {
	n, err := r.tryWindow(most)
	if err != nil {
		return nil, err
	}
	return valuesAt[T](&r.slotMemory, r.pos-n, n), nil
}

// Values ranges over copies of the values. It takes what is there as one window of at most
// maxValues, and releases that when the loop has come to its end, or is left: then with the value
// of the body that has left it, and what comes after that is for the next call. It ends without
// an error at io.EOF; any other error, ErrIncomplete included, is the last pair.
func (r *ReaderOf[T]) Values(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			window, err := r.Window(ctx, maxValues)
			if err == io.EOF {
				return
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for i, v := range window {
				if !yield(v, nil) {
					r.putBack(uint64(len(window) - 1 - i))
					r.Release()
					return
				}
			}
			r.Release()
		}
	}
}

// background is context.Background, whose call would be one too many for TryNext to inline.
var background = context.Background()

// maxValues is how many values a loop over Values holds at most, and a kill of its process
// delivers again.
const maxValues = 256

// checkType returns ErrType when the slots of a ring are not for values of type T, ErrOption when
// none can be.
func checkType[T any](g layout.Geometry) error {
	size, fingerprint, err := typeOf[T]()
	if err != nil {
		return err
	}
	return checkSlots(g, size, fingerprint)
}

// typeOf returns the size and the fingerprint of type T.
func typeOf[T any]() (size, fingerprint uint64, err error) {
	t := reflect.TypeFor[T]()
	text, err := layout.TypeText(t)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: type %w", endpoint.ErrOption, err)
	}
	return uint64(t.Size()), layout.Fingerprint(text), nil
}

// checkSlots returns ErrType when a ring has no fixed slots of that size and that fingerprint.
func checkSlots(g layout.Geometry, size, fingerprint uint64) error {
	return checkSame(g, layout.Geometry{SlotSize: size, Fingerprint: fingerprint})
}

// checkFixed returns ErrType when a ring has no fixed slots.
func checkFixed(g layout.Geometry) error {
	if !g.Fixed() {
		return fmt.Errorf("%w: records of variable size, not fixed slots", ErrType)
	}
	return nil
}

// checkRecords returns ErrType when a ring has fixed slots.
func checkRecords(g layout.Geometry) error { return checkSame(g, layout.Geometry{}) }

func checkSame(g, want layout.Geometry) error {
	if other := otherType(g, want); other != "" {
		return fmt.Errorf("%w: %s", ErrType, other)
	}
	return nil
}

// otherType says how what a ring carries differs from what is wanted, "" if it does not. A
// fingerprint of 0 fits every other.
func otherType(g, want layout.Geometry) string {
	const records = "records of variable size"
	switch {
	case !g.Fixed() && !want.Fixed():
		return ""
	case !g.Fixed():
		return fmt.Sprintf("%s, not slots of %s", records, format.Number(want.SlotSize, "byte"))
	case !want.Fixed():
		return fmt.Sprintf("%s, not %s", describeSlots(g), records)
	case g.SlotSize != want.SlotSize:
		return fmt.Sprintf("%s, not of %d", describeSlots(g), want.SlotSize)
	case g.Fingerprint != want.Fingerprint && g.Fingerprint != 0 && want.Fingerprint != 0:
		return fmt.Sprintf("slots with the fingerprint %#x, not %#x", g.Fingerprint, want.Fingerprint)
	}
	return ""
}
