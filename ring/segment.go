package ring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/replace"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// Create takes the producer role in the segment called name: in a new one, or,
// when one exists whose producer is gone, in that one, going on where the last
// producer ended. Everything published before is still delivered.
//
// Errors: shm.ErrName, ErrOption, shm.ErrNoSpace, fs.ErrPermission, ErrRoleTaken when a
// producer is alive, ErrGeometry when Capacity or Slots are given and an
// existing segment has others and a live consumer or unread messages, ErrFraming when it
// has unread messages and Framing is not that of their producer. With Fresh,
// a live consumer is ErrRoleTaken too. layout.ErrNotSegment, ErrVersion, ErrCorrupt and
// shm.ErrUntrusted for whatever else is found at that name.
func Create(ctx context.Context, name string, opt WriterOptions) (w *Writer, err error) {
	geometry := func(pageSize uint64) (layout.Geometry, error) {
		return layout.RingGeometry(cmp.Or(opt.Capacity, layout.DefaultCapacity), opt.Slots, pageSize)
	}
	err = createSegment(ctx, name, geometry, opt, func(mem Memory, opt WriterOptions, seg *shm.Segment) error {
		if w, err = NewWriter(mem, opt); err == nil {
			w.segment = seg
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// CreateOf is Create for a ring with fixed slots that hold values of type T, which is any type
// without pointers and without bool (layout.TypeText). An existing segment with records, or with
// slots for another type, is replaced when it has no unread messages and no live consumer, else
// ErrGeometry.
func CreateOf[T any](ctx context.Context, name string, opt WriterOptions) (*WriterOf[T], error) {
	size, fingerprint, err := typeOf[T]()
	if err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	w := new(WriterOf[T])
	if err := createSlots(ctx, name, size, fingerprint, opt, &w.slotWriter); err != nil {
		return nil, err
	}
	return w, nil
}

// CreateSlots is Create for a ring with fixed slots of size bytes, from 1 to 2^31, of no type, or
// of the one that opt.Fingerprint names: every message has that size. An existing segment with
// records, or with slots of another size, is replaced when it has no unread messages and no live
// consumer, else ErrGeometry.
func CreateSlots(ctx context.Context, name string, size uint64, opt WriterOptions) (*SlotWriter, error) {
	w := new(SlotWriter)
	if err := createSlots(ctx, name, size, opt.Fingerprint, opt, &w.slotWriter); err != nil {
		return nil, err
	}
	return w, nil
}

func createSlots(ctx context.Context, name string, size, fingerprint uint64, opt WriterOptions, w *slotWriter) error {
	geometry := func(pageSize uint64) (layout.Geometry, error) {
		return layout.SlotGeometry(size, opt.Capacity, opt.Slots, fingerprint, pageSize)
	}
	return createSegment(ctx, name, geometry, opt, func(mem Memory, opt WriterOptions, seg *shm.Segment) error {
		err := w.init(mem, opt)
		if err == nil {
			w.segment = seg
		}
		return err
	})
}

// createSegment takes the producer role in a segment, and gives its memory to attach.
func createSegment(ctx context.Context, name string, geometry func(pageSize uint64) (layout.Geometry, error), opt WriterOptions, attach func(Memory, WriterOptions, *shm.Segment) error) error {
	if err := opt.check(); err != nil {
		return shm.InSegment(endpoint.OpCreate, name, err)
	}
	g, err := geometry(uint64(os.Getpagesize()))
	if err != nil {
		return shm.InSegment(endpoint.OpCreate, name, fmt.Errorf("%w: %w", ErrOption, err))
	}
	if err := sleep.CheckWake(); err != nil {
		return shm.InSegment(endpoint.OpCreate, name, err)
	}
	if opt.Fresh {
		if err := shm.RemoveIfExists(ctx, name); err != nil {
			return err
		}
	}
	var carryOver uint64 // of the segment that this one replaces
	for {
		seg, err := shm.CreateOrOpen(ctx, name, g, layout.Producer, opt.Access, shm.Populate(opt.Populate))
		if err != nil {
			return err
		}
		err = shm.Guard(func() error {
			endpoint.AddCarryOver(seg.Header(), carryOver)
			carryOver = 0
			if err := cmp.Or(checkMode(seg), checkGeometry(seg, g, opt), checkFraming(seg, opt)); err != nil {
				return err
			}
			opt.peerStatus = seg
			return attach(memory(seg), opt, seg)
		})
		if err == nil {
			return nil
		}
		if carryOver, err = refuse(ctx, seg, err); !errors.Is(err, errRetry) {
			return err
		}
	}
}

// errRetry: the segment is of another geometry or mode, and was removed; or its consumer took the
// last message of another framing and left meanwhile.
var errRetry = errors.New("again")

// refuse releases the role, which err keeps the caller from using. It returns errRetry when the
// reason for err has gone away, with the endpoint.CarryOver of a segment that was removed.
func refuse(ctx context.Context, seg *shm.Segment, err error) (carryOver uint64, _ error) {
	again, h := false, seg.Header()
	if errors.Is(err, ErrGeometry) || errors.Is(err, layout.ErrMode) {
		again, carryOver = replace.Segment(ctx, seg, layout.ModeRing)
	}
	_, leaveErr := seg.Leave(guardedBool(func() bool {
		// A consumer that left meanwhile has not removed the segment: this producer was there.
		again = again || errors.Is(err, ErrFraming) && h.Producer.Index.Load() == h.Consumer.Index.Load()
		return false
	}))
	if again && leaveErr == nil {
		return carryOver, errRetry
	}
	return 0, shm.InSegment(endpoint.OpCreate, seg.Name(), err, leaveErr)
}

// checkGeometry compares an existing segment with what the caller asked for, which is want in a
// new one.
func checkGeometry(seg *shm.Segment, want layout.Geometry, opt WriterOptions) error {
	g, h := seg.Geometry(), seg.Header()
	kind, what := ErrGeometry, fmt.Sprintf("capacity %d and slots %d", g.Capacity, g.Slots)
	if g.Fixed() {
		what = describeSlots(g)
	}
	if other := otherType(g, want); other != "" {
		kind, what = errTypeInUse, other
	} else if (opt.Capacity == 0 || g.Capacity == want.Capacity) && (opt.Slots == 0 || g.Slots == want.Slots) {
		return nil
	}
	unread := h.Count(layout.Producer) - h.Count(layout.Consumer)
	return fmt.Errorf("%w: %s, %s", kind, what, describeUse(unread, seg))
}

// describeSlots says what fixed slots a ring has.
func describeSlots(g layout.Geometry) string {
	number := g.Capacity / g.SlotSize
	text := fmt.Sprintf("%s of %s", format.Number(number, "slot"), format.Number(g.SlotSize, "byte"))
	if most := g.MaxMessages(); most < number {
		text += fmt.Sprintf(", at most %s in use", format.Count(most))
	}
	return text
}

// checkFraming compares the framing of the unread messages with that of those that the caller
// will send: a ring has one framing for all messages (Reader.Framing). Only the caller, who holds
// the role, can publish more.
func checkFraming(seg *shm.Segment, opt WriterOptions) error {
	g, h := seg.Geometry(), seg.Header()
	w, r := endpoint.PositionOf(h, layout.Producer), endpoint.PositionOf(h, layout.Consumer)
	framing := h.ProducerStats.LoadFraming()
	if w.Index == r.Index || framing == opt.Framing {
		return nil
	}
	if err := checkDistance(&g, w, r); err != nil {
		return err
	}
	is := framing.String()
	if framing == layout.FramingNone {
		is = "none (messages that were generated)"
	}
	return fmt.Errorf("%w: %s, %s", ErrFraming, is, describeUse(w.Count-r.Count, seg))
}

// describeUse says what keeps a segment as it is.
func describeUse(unread uint64, seg *shm.Segment) string {
	consumer := "a live consumer"
	if seg.Absent(layout.Consumer) {
		consumer = "no consumer"
	}
	return fmt.Sprintf("with %s and %s", format.Number(unread, "unread message"), consumer)
}

// Open takes the consumer role in the segment called name and waits for the
// segment to appear if there is none yet. It starts at the oldest message that
// was not released, so what a killed consumer held is delivered again.
//
// Errors: shm.ErrName, ErrOption, fs.ErrPermission, ErrRoleTaken when a consumer is alive,
// layout.ErrNotSegment, ErrVersion, ErrCorrupt and shm.ErrUntrusted for a file
// that is no healthy segment, and the cause of ctx.
func Open(ctx context.Context, name string, opt ReaderOptions) (*Reader, error) {
	return openSegment(ctx, name, opt, OpenSegment)
}

// OpenSegment is Open for a segment in which the consumer role is taken
// already. It owns seg from here on, also when it fails.
func OpenSegment(seg *shm.Segment, opt ReaderOptions) (r *Reader, err error) {
	err = attachReader(seg, opt, func(opt ReaderOptions) error {
		if r, err = NewReader(memory(seg), opt); err == nil {
			r.segment = seg
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// OpenOf is Open for a ring with fixed slots that hold values of type T. It is ErrType for
// another ring: the producer of one has to make another segment.
func OpenOf[T any](ctx context.Context, name string, opt ReaderOptions) (*ReaderOf[T], error) {
	if _, _, err := typeOf[T](); err != nil {
		return nil, shm.InSegment(endpoint.OpOpen, name, err) // before it waits
	}
	return openSegment(ctx, name, opt, OpenSegmentOf[T])
}

// OpenSegmentOf is OpenOf for a segment in which the consumer role is taken already. It owns seg
// from here on, also when it fails.
func OpenSegmentOf[T any](seg *shm.Segment, opt ReaderOptions) (r *ReaderOf[T], err error) {
	err = attachReader(seg, opt, func(opt ReaderOptions) error {
		if r, err = NewReaderOf[T](memory(seg), opt); err == nil {
			r.segment = seg
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// OpenSlots is Open for a ring with fixed slots, whatever they hold. It is ErrType for a ring of
// records.
func OpenSlots(ctx context.Context, name string, opt ReaderOptions) (*SlotReader, error) {
	return openSegment(ctx, name, opt, OpenSlotSegment)
}

// OpenSlotSegment is OpenSlots for a segment in which the consumer role is taken already. It owns
// seg from here on, also when it fails.
func OpenSlotSegment(seg *shm.Segment, opt ReaderOptions) (r *SlotReader, err error) {
	err = attachReader(seg, opt, func(opt ReaderOptions) error {
		if r, err = NewSlotReader(memory(seg), opt); err == nil {
			r.segment = seg
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// openSegment takes the consumer role and gives the segment to attach, which owns it.
func openSegment[R any](ctx context.Context, name string, opt ReaderOptions, attach func(*shm.Segment, ReaderOptions) (R, error)) (none R, err error) {
	if err := opt.check(); err != nil {
		return none, shm.InSegment(endpoint.OpOpen, name, err) // before it waits
	}
	seg, err := shm.OpenWait(ctx, name, layout.Consumer, opt.Access, shm.Populate(opt.Populate))
	if err != nil {
		return none, err
	}
	return attach(seg, opt)
}

// attachReader runs attach, and leaves the segment if it fails.
func attachReader(seg *shm.Segment, opt ReaderOptions, attach func(ReaderOptions) error) error {
	err := shm.Guard(func() error {
		if err := cmp.Or(checkMode(seg), sleep.CheckWake()); err != nil {
			return err
		}
		opt.peerStatus = seg
		return attach(opt)
	})
	if err == nil {
		return nil
	}
	_, leaveErr := seg.Leave(never)
	return shm.InSegment(endpoint.OpOpen, seg.Name(), err, leaveErr)
}

func checkMode(seg *shm.Segment) error {
	if m := seg.Geometry().Mode; m != layout.ModeRing {
		return fmt.Errorf("%w: %v, not ring", layout.ErrMode, m)
	}
	return nil
}

func never() bool { return false }

// guardedBool returns look with a fault in it as false.
func guardedBool(look func() bool) func() bool {
	return func() (ok bool) {
		fault := shm.Guard(func() error { ok = look(); return nil })
		return ok && fault == nil
	}
}
