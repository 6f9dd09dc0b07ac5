package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// Create takes the producer role in the segment called name, makes the segment if
// there is none, and connects to its consumer as soon as there is one.
//
// Errors: shm.ErrName, shm.ErrNoSpace, fs.ErrPermission, ErrRoleTaken when a
// producer is alive (or, with Fresh, a consumer), layout.ErrMode when the segment
// is a ring in use, layout.ErrNotSegment, ErrVersion, ErrCorrupt and shm.ErrForeign for
// whatever else is found at that name.
func Create(ctx context.Context, name string, opt Options) (*Sender, error) {
	path, err := resolve(opt.Socket, name)
	if err != nil {
		return nil, err
	}
	limit := cmp.Or(opt.Limit, DefaultLimit)
	if opt.Buffer > 0 && pages(uint64(opt.Buffer)) > limit {
		return nil, fmt.Errorf("%w: buffers of %d bytes with a limit of %d", ErrTooLarge, opt.Buffer, limit)
	}
	if err := startPoller(); err != nil {
		return nil, fmt.Errorf("segment %q: %w: %w", name, ErrDescriptors, err)
	}
	seg, err := createSegment(ctx, name, opt)
	if err != nil {
		return nil, err
	}
	h := seg.Header()
	s := &Sender{
		segment: seg, own: &h.ProducerSide, peer: &h.ConsumerSide, cursor: &h.Producer, peerAt: &h.Consumer,
		limit: limit, packing: opt.Buffer, recycle: opt.Recycle, reserved: -1, began: time.Now(),
	}
	err = shm.Guard(func() error { s.attach(opt); return nil })
	if err != nil {
		_, leaveErr := seg.Leave(never)
		return nil, errors.Join(fmt.Errorf("segment %q: %w", name, err), leaveErr)
	}
	s.courier = newCourier(s, path, opt)
	go s.courier.run()
	return s, nil
}

// startPoller makes the runtime open the descriptors of its poller now. It does so
// at the first socket or pipe, and ends the process when it cannot: by then all may
// be buffers.
func startPoller() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(r.Close(), w.Close())
}

// createSegment takes the role in a segment of transfer mode, in place of a ring
// that nobody is in and nothing is left in.
func createSegment(ctx context.Context, name string, opt Options) (*shm.Segment, error) {
	if opt.Fresh {
		if err := shm.Discard(ctx, name); err != nil {
			return nil, err
		}
	}
	for {
		seg, err := shm.CreateOrOpen(ctx, name, layout.Geometry{Mode: layout.ModeTransfer}, layout.Producer, opt.Access)
		if err != nil {
			return nil, err
		}
		err = checkMode(seg)
		if err == nil {
			return seg, nil
		}
		h := seg.Header()
		drained := false
		removed, leaveErr := seg.Leave(func() bool {
			fault := shm.Guard(func() error { drained = h.Producer.Index.Load() == h.Consumer.Index.Load(); return nil })
			return drained && fault == nil
		})
		if !removed || leaveErr != nil {
			return nil, errors.Join(fmt.Errorf("segment %q: %w", name, err), leaveErr)
		}
	}
}

func checkMode(seg *shm.Segment) error {
	if m := seg.Geometry().Mode; m != layout.ModeTransfer {
		return fmt.Errorf("%w: %v, not transfer", layout.ErrMode, m)
	}
	return nil
}

func never() bool { return false }

// attach goes on where the last producer ended. What it had queued went with it;
// the consumer finds the gap in the numbers and counts it as lost.
func (s *Sender) attach(opt Options) {
	s.own.TakeOver(uint64(os.Getpid()), shm.Clock(), opt.Keep)
	s.count, s.bytes = s.cursor.Count.Load(), s.cursor.Bytes.Load()
	s.next = position{buffers: max(s.own.Buffers.Load(), s.peer.Buffers.Load()), messages: s.count, bytes: s.cursor.Index.Load()}
	s.consumed = s.peerAt.Index.Load()
	s.firstCount, s.first = s.count, s.peerAt.Count.Load()
	s.own.Buffers.Store(s.next.buffers)
	s.own.Framing.Store(uint64(opt.Framing))
	s.own.Descriptors.Store(0)
	s.own.Obstacle.Store(0)
	s.own.Limit.Store(s.limit)
	if s.limit == NoLimit {
		s.own.Limit.Store(0)
	}
	s.own.State.Store(uint64(layout.StateRunning))
	s.own.Holders.Store(s.own.Holders.Own() + 1) // after State, as Receiver.ended wants it
}

// DeliverEnd makes Drain wait for a consumer even when there is nothing to deliver
// but the end.
func (s *Sender) DeliverEnd() { s.courier.mustEnd.Store(true) }

// Drain sends what is left and the end, and waits until the consumer has let go of
// everything. When ctx is done and no consumer is there, it gives up: ErrLost, and
// lost is the number of messages that go with it. With a consumer it waits on,
// however slow that is. Nothing can be sent any more.
func (s *Sender) Drain(ctx context.Context) (lost uint64, err error) {
	truncated := shm.Guard(func() error { lost, err = s.drain(ctx); return nil })
	return lost, errors.Join(err, truncated)
}

func (s *Sender) drain(ctx context.Context) (lost uint64, err error) {
	if s.closed {
		return 0, nil
	}
	s.reserved = -1
	s.Flush()
	s.giveBack()
	s.closed, s.stage = true, nil
	left, err := s.courier.finish(ctx)
	if left {
		lost = s.Queued()
	}
	if lost > 0 {
		err = errors.Join(err, fmt.Errorf("segment %q: %w: %d that no consumer came for", s.segment.Name(), ErrLost, lost))
	}
	return lost, err
}

// Close is Drain, and gives the role back.
func (s *Sender) Close(ctx context.Context) (lost uint64, err error) {
	if s.left {
		return 0, nil
	}
	lost, err = s.Drain(ctx)
	s.left = true
	fault := shm.Guard(func() error {
		s.own.Descriptors.Store(0)
		s.own.ProgressAt.Store(shm.Clock())
		s.own.State.Store(uint64(layout.StateClosed))
		return nil
	})
	own, peer := s.own, s.peer
	_, leaveErr := s.segment.Leave(func() bool { return !keeps(own, peer) })
	return lost, errors.Join(err, fault, leaveErr)
}

// keeps reports whether either side has asked to leave the segment in place. A
// page that cannot be read is not worth keeping.
func keeps(sides ...*layout.Side) (keep bool) {
	_ = shm.Guard(func() error {
		for _, side := range sides {
			keep = keep || side.Keep.Load() != 0
		}
		return nil
	})
	return keep
}
