package ring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"sluice/layout"
	"sluice/shm"
)

// Create takes the producer role in the segment called name: in a new one, or,
// when one exists whose producer is gone, in that one, going on where the last
// producer ended. Everything published before is still delivered.
//
// Errors: shm.ErrName, shm.ErrNoSpace, fs.ErrPermission, ErrRoleTaken when a
// producer is alive, ErrGeometry when Capacity or Slots are given and an
// existing segment has others and a live consumer or unread messages. With Fresh,
// a live consumer is ErrRoleTaken too. layout.ErrNotSegment, ErrVersion, ErrCorrupt and
// shm.ErrForeign for whatever else is found at that name.
func Create(ctx context.Context, name string, opt Options) (*Writer, error) {
	g, err := layout.NewRing(cmp.Or(opt.Capacity, layout.DefaultCapacity), opt.Slots, uint64(os.Getpagesize()))
	if err != nil {
		return nil, err
	}
	if opt.Fresh {
		if err := shm.Discard(ctx, name); err != nil {
			return nil, err
		}
	}
	for {
		seg, err := shm.CreateOrOpen(ctx, name, g, layout.Producer, opt.Access)
		if err != nil {
			return nil, err
		}
		w, err := newSegmentWriter(seg, opt)
		if errors.Is(err, errReplace) {
			continue
		}
		return w, err
	}
}

// errReplace: the segment was empty, unused and of another geometry or mode, and
// has been removed.
var errReplace = errors.New("replace")

func newSegmentWriter(seg *shm.Segment, opt Options) (w *Writer, err error) {
	err = shm.Guard(func() error {
		if err := checkMode(seg); err != nil {
			return err
		}
		if err := checkGeometry(seg, opt); err != nil {
			return err
		}
		opt.world = seg
		w, err = NewWriter(memory(seg), opt)
		return err
	})
	if err == nil {
		w.segment = seg
		return w, nil
	}
	h := seg.Header()
	removed, leaveErr := seg.Leave(guarded(func() bool {
		other := errors.Is(err, ErrGeometry) || errors.Is(err, layout.ErrMode)
		gone := seg.Geometry().Mode == layout.ModeTransfer // its messages were its producer's
		return other && (gone || h.Producer.Index.Load() == h.Consumer.Index.Load())
	}))
	if removed && leaveErr == nil {
		return nil, errReplace
	}
	return nil, errors.Join(fmt.Errorf("segment %q: %w", seg.Name(), err), leaveErr)
}

// checkGeometry compares an existing segment with what the caller asked for.
func checkGeometry(seg *shm.Segment, opt Options) error {
	g, h := seg.Geometry(), seg.Header()
	if (opt.Capacity == 0 || opt.Capacity == g.Capacity) && (opt.Slots == 0 || opt.Slots == g.Slots) {
		return nil
	}
	unread, consumer := h.Producer.Count.Load()-h.Consumer.Count.Load(), "no consumer"
	if seg.Alive(layout.Consumer) {
		consumer = "a live consumer"
	}
	return fmt.Errorf("%w: capacity %d and slots %d, with %d unread messages and %s", ErrGeometry, g.Capacity, g.Slots, unread, consumer)
}

// Open takes the consumer role in the segment called name and waits for the
// segment to appear if there is none yet. It starts at the oldest message that
// was not released, so what a killed consumer held is delivered again.
//
// Errors: shm.ErrName, fs.ErrPermission, ErrRoleTaken when a consumer is alive,
// layout.ErrNotSegment, ErrVersion, ErrCorrupt and shm.ErrForeign for a file
// that is no healthy segment, and the cause of ctx.
func Open(ctx context.Context, name string, opt Options) (*Reader, error) {
	seg, err := shm.OpenWhenThere(ctx, name, layout.Consumer, opt.Access)
	if err != nil {
		return nil, err
	}
	return OpenSegment(seg, opt)
}

// OpenSegment is Open for a segment in which the consumer role is taken
// already. It owns seg from here on, also when it fails.
func OpenSegment(seg *shm.Segment, opt Options) (r *Reader, err error) {
	err = shm.Guard(func() error {
		if err := checkMode(seg); err != nil {
			return err
		}
		opt.world = seg
		r, err = NewReader(memory(seg), opt)
		return err
	})
	if err != nil {
		_, leaveErr := seg.Leave(never)
		return nil, errors.Join(fmt.Errorf("segment %q: %w", seg.Name(), err), leaveErr)
	}
	r.segment = seg
	return r, nil
}

func memory(seg *shm.Segment) Memory {
	return Memory{Header: seg.Header(), Data: seg.Data(), Geometry: seg.Geometry()}
}

func checkMode(seg *shm.Segment) error {
	if m := seg.Geometry().Mode; m != layout.ModeRing {
		return fmt.Errorf("%w: %v, not ring", layout.ErrMode, m)
	}
	return nil
}

func never() bool { return false }

// Segment returns the mapped segment, nil for a Writer on plain memory.
func (w *Writer) Segment() *shm.Segment { return w.segment }

// Segment returns the mapped segment, nil for a Reader on plain memory.
func (r *Reader) Segment() *shm.Segment { return r.segment }

// KeepEnd makes Close leave the segment when no Reader ever came to it, even
// with no message in it: the first one then learns that the stream has ended,
// where it would else wait for one to begin.
func (w *Writer) KeepEnd() { w.keepEnd = true }

// Close publishes what is staged, tells the Reader that no more will come, and
// gives the role back. The segment goes when its Reader is gone too and took
// everything; else it stays with its unread messages, whose number is returned.
// ErrRemoved: there are some, and they are lost. Every later call gives ErrDone,
// a later Close nothing, and memory from Reserve is invalid.
func (w *Writer) Close() (unread uint64, err error) {
	if w.closed {
		return 0, nil
	}
	err = shm.Guard(func() error {
		w.Publish()
		unread = w.leave()
		return nil
	})
	// From here on nothing may touch the memory. Every later Reserve takes the
	// slow path and finds closed.
	w.closed, w.index, w.stop, w.reserved = true, w.tail, w.tail, -1
	return unread, errors.Join(err, w.leaveSegment(w.segment, unread, func() bool {
		seen := !w.keepEnd || w.peer.Holders.Load() > 0
		return seen && w.peerCursor.Index.Load() == w.tail
	}))
}

// Close gives the role back without releasing what the caller still holds: it
// is delivered again to the next Reader. The segment goes when its Writer is
// gone too and nothing is unread; else it stays, and the number of unread
// messages is returned. ErrRemoved: there are some, and they are lost. Every
// later call gives ErrDone, a later Close nothing, and memory from Next is
// invalid.
func (r *Reader) Close() (unread uint64, err error) {
	if r.closed {
		return 0, nil
	}
	err = shm.Guard(func() error {
		unread = r.leave()
		return nil
	})
	r.closed, r.head, r.avail = true, r.index, r.index // as in Writer.Close
	return unread, errors.Join(err, r.leaveSegment(r.segment, unread, func() bool {
		return r.peerCursor.Index.Load() == r.index
	}))
}

// leaveSegment gives the role back. The file goes when nobody is left, nothing
// in it is unread and nobody has asked to keep it.
func (s *side) leaveSegment(seg *shm.Segment, unread uint64, drained func() bool) error {
	if seg == nil {
		return nil
	}
	var lost error
	if unread > 0 && !seg.Alive(s.role.Peer()) && errors.Is(seg.Check(), ErrRemoved) {
		lost = fmt.Errorf("segment %q: %w; %d unread messages are lost", seg.Name(), ErrRemoved, unread)
	}
	_, err := seg.Leave(guarded(func() bool {
		return drained() && s.own.Keep.Load() == 0 && s.peer.Keep.Load() == 0
	}))
	return errors.Join(lost, err)
}

// guarded returns a look at the segment that is false when it faults.
func guarded(look func() bool) func() bool {
	return func() (ok bool) {
		fault := shm.Guard(func() error { ok = look(); return nil })
		return ok && fault == nil
	}
}
