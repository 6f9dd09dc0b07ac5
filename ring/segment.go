package ring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"sluice/internal/endpoint"
	"sluice/internal/format"
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
func Create(ctx context.Context, name string, opt WriterOptions) (*Writer, error) {
	if err := opt.check(); err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	g, err := layout.RingGeometry(cmp.Or(opt.Capacity, layout.DefaultCapacity), opt.Slots, uint64(os.Getpagesize()))
	if err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, fmt.Errorf("%w: %w", ErrOption, err))
	}
	if err := sleep.CheckWake(); err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	if opt.Fresh {
		if err := shm.RemoveIfExists(ctx, name); err != nil {
			return nil, err
		}
	}
	var carryOver uint64 // endpoint.CarryOver of the segment that this one replaces
	for {
		seg, err := shm.CreateOrOpen(ctx, name, g, layout.Producer, opt.Access)
		if err != nil {
			return nil, err
		}
		w, err := newSegmentWriter(seg, opt, &carryOver)
		if errors.Is(err, errRetry) {
			continue
		}
		return w, err
	}
}

// errRetry: the segment was empty, unused and of another geometry or mode, and has been
// removed; or its consumer took the last message of another framing and left meanwhile.
var errRetry = errors.New("again")

// newSegmentWriter makes a Writer of a segment. carryOver goes to that segment, and after errRetry
// to the next one: endpoint.AddCarryOver.
func newSegmentWriter(seg *shm.Segment, opt WriterOptions, carryOver *uint64) (w *Writer, err error) {
	err = shm.Guard(func() error {
		endpoint.AddCarryOver(seg.Header(), *carryOver)
		*carryOver = 0
		if err := checkMode(seg); err != nil {
			return err
		}
		if err := cmp.Or(checkGeometry(seg, opt), checkFraming(seg, opt)); err != nil {
			return err
		}
		opt.peerStatus = seg
		w, err = NewWriter(memory(seg), opt)
		return err
	})
	if err == nil {
		w.segment = seg
		return w, nil
	}
	return nil, refuse(seg, err, carryOver)
}

// refuse releases the role, which err keeps the caller from using. It returns errRetry when the
// reason for err has gone away, and sets carryOver when the segment was removed.
func refuse(seg *shm.Segment, err error, carryOver *uint64) error {
	h, drained, incomplete := seg.Header(), false, uint64(0)
	removed, leaveErr := seg.Leave(guardedBool(func() bool {
		incomplete = endpoint.CarryOver(h, seg.Geometry().Mode)
		other := errors.Is(err, ErrGeometry) || errors.Is(err, layout.ErrMode)
		gone := seg.Geometry().Mode == layout.ModeTransfer // its messages were its producer's
		drained = h.Producer.Index.Load() == h.Consumer.Index.Load()
		return other && (gone || drained)
	}))
	if removed {
		*carryOver = incomplete
	}
	// A consumer that left meanwhile has not removed the segment: this producer was there.
	if again := removed || errors.Is(err, ErrFraming) && drained; again && leaveErr == nil {
		return errRetry
	}
	return shm.InSegment(endpoint.OpCreate, seg.Name(), err, leaveErr)
}

// checkGeometry compares an existing segment with what the caller asked for.
func checkGeometry(seg *shm.Segment, opt WriterOptions) error {
	g, h := seg.Geometry(), seg.Header()
	if (opt.Capacity == 0 || opt.Capacity == g.Capacity) && (opt.Slots == 0 || opt.Slots == g.Slots) {
		return nil
	}
	unread := h.Count(layout.Producer) - h.Count(layout.Consumer)
	return fmt.Errorf("%w: capacity %d and slots %d, %s", ErrGeometry, g.Capacity, g.Slots, describeUse(unread, seg))
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
	if err := checkDistance(g, w, r); err != nil {
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
	if err := sleep.CheckSpin(opt.Spin); err != nil {
		return nil, shm.InSegment(endpoint.OpOpen, name, err) // before it waits
	}
	seg, err := shm.OpenWait(ctx, name, layout.Consumer, opt.Access)
	if err != nil {
		return nil, err
	}
	return OpenSegment(seg, opt)
}

// OpenSegment is Open for a segment in which the consumer role is taken
// already. It owns seg from here on, also when it fails.
func OpenSegment(seg *shm.Segment, opt ReaderOptions) (r *Reader, err error) {
	err = shm.Guard(func() error {
		if err := cmp.Or(checkMode(seg), sleep.CheckWake()); err != nil {
			return err
		}
		opt.peerStatus = seg
		r, err = NewReader(memory(seg), opt)
		return err
	})
	if err != nil {
		_, leaveErr := seg.Leave(never)
		return nil, shm.InSegment(endpoint.OpOpen, seg.Name(), err, leaveErr)
	}
	r.segment = seg
	return r, nil
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
