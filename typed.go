package sluice

import (
	"context"
	"fmt"

	"sluice/internal/endpoint"
	"sluice/ring"
	"sluice/shm"
)

// ProducerOf sends values of type T through a ring of fixed slots. Make one with [CreateOf]; its
// methods are those of [ring.WriterOf]:
//
//	Push, TryPush             publish a copy of a value
//	Slot, TrySlot, Publish    write a value in its slot, and publish it
//	Window, PublishN          write many values in their slots, and publish them together
//	PushAll                   publish copies of many values
//	SetDue, EndAs, KeepEnd, Drain, Close, Abort, Published, Unread, Segment
//	                          as in a [Producer]
//
// One goroutine at a time may use it; Close and Abort may be called from any, at any time. Calls
// that can wait take a context and return as those of a Producer do. Slot and Publish inline into
// the loop that calls them, and take about a nanosecond together: that is what a type is for.
type ProducerOf[T any] = ring.WriterOf[T]

// ConsumerOf takes values of type T from a ring of fixed slots. Make one with [OpenOf]; its methods
// are those of [ring.ReaderOf]:
//
//	Pop, TryPop               take and release a copy of the next value
//	Next, TryNext, Release    read the next value in its slot, and release it
//	Window                    read many values in their slots; Release releases them
//	Values                    range over the values
//	Held, ReleaseN            hold several, and release the oldest
//	Close, Released, Unread, Segment
//	                          as in a [Consumer]
//
// One goroutine at a time may use it; Close may be called from any, at any time. Calls that can
// wait take a context and return as those of a Consumer do.
type ConsumerOf[T any] = ring.ReaderOf[T]

// CreateOf is [Create] for a ring of fixed slots that hold values of type T: any type of a known
// size without pointers, and without bool, of which a process relies on two values where the other
// may store any byte. A type with something else in it is [ErrOption]. opt.Mode can only be
// ModeRing. Without Capacity and Slots the ring has as many slots as fit into 1 MiB, a power of
// two; layout.SlotGeometry has the rules.
//
// A segment that has records or slots for another type is replaced when it has no unread messages
// and no live consumer; else it is [ErrGeometry], which says how many there are.
func CreateOf[T any](ctx context.Context, name string, opt ProducerOptions) (*ProducerOf[T], error) {
	if err := typedOnly(opt.Mode, opt.check()); err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	return ring.CreateOf[T](ctx, name, opt.ring())
}

// OpenOf is [Open] for a ring of fixed slots that hold values of type T. A segment with records,
// with slots of another size, or of another type is [ErrType]: then the program of one side is not
// the one that the other was written for. Slots of no type, such as those of the command producer,
// fit every type of their size.
func OpenOf[T any](ctx context.Context, name string, opt ConsumerOptions) (*ConsumerOf[T], error) {
	if opt.Listener != nil {
		opt.Listener.Close() // which has nothing to lose
		return nil, shm.InSegment(endpoint.OpOpen, name, fmt.Errorf("%w: Listener is for transfer mode", ErrOption))
	}
	if err := typedOnly(opt.Mode, opt.check()); err != nil {
		return nil, shm.InSegment(endpoint.OpOpen, name, err)
	}
	return ring.OpenOf[T](ctx, name, opt.ring())
}

// typedOnly returns err, or an ErrOption for a mode that has no fixed slots.
func typedOnly(mode Mode, err error) error {
	if err == nil && mode == ModeTransfer {
		err = fmt.Errorf("%w: Mode is transfer, which has no fixed slots", ErrOption)
	}
	return err
}
