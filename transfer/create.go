package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/endpoint"
	"sluice/internal/gate"
	"sluice/internal/monotonic"
	"sluice/internal/netpoll"
	"sluice/internal/replace"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// Create takes the producer role in the segment called name, makes the segment if
// there is none, and connects to its consumer as soon as there is one.
//
// Errors: shm.ErrName, ErrOption, shm.ErrNoSpace, fs.ErrPermission, ErrRoleTaken when a
// producer is alive (or, with Fresh, a consumer), layout.ErrMode when the segment
// is a ring in use, layout.ErrNotSegment, ErrVersion, ErrCorrupt and shm.ErrUntrusted for
// whatever else is found at that name.
func Create(ctx context.Context, name string, opt SenderOptions) (*Sender, error) {
	if err := opt.check(); err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	s, err := newSender(ctx, name, opt)
	if err != nil {
		return nil, err
	}
	go s.loop.run()
	return s, nil
}

// newSender is Create but for the sendLoop's goroutine, which is the caller's to start, and
// for options that are not checked: tests use a smaller Limit.
func newSender(ctx context.Context, name string, opt SenderOptions) (*Sender, error) {
	path, err := resolve(opt.Socket, name)
	if err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	limit := cmp.Or(opt.Limit, DefaultLimit)
	file := maxFileSize()
	if opt.Buffer > 0 && pages(uint64(opt.Buffer)) > file {
		return nil, shm.InSegment(endpoint.OpCreate, name, fmt.Errorf("buffers of %d bytes: %w", opt.Buffer, unix.EFBIG))
	}
	if err := cmp.Or(startPoller(), probeSend(opt.Recycle)); err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	seg, err := createSegment(ctx, name, opt)
	if err != nil {
		return nil, err
	}
	if opt.Buffer > 0 { // a message that does not fit gets a buffer with one record
		file -= layout.RecordHeader + 7
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	maxSize := int(min(MaxMessage, limit-min(limit, 2*pageSize), file))
	return newSenderIn(seg, path, limit, maxSize, opt)
}

// newSenderIn is newSender in a segment in which the producer role is taken already. It owns
// seg from here on, also when it fails. Messages have at most maxSize bytes.
func newSenderIn(seg *shm.Segment, path string, limit uint64, maxSize int, opt SenderOptions) (s *Sender, err error) {
	err = shm.Guard(func() error {
		h := seg.Header()
		s = &Sender{
			segment: seg, own: &h.ProducerStats, peer: &h.ConsumerStats, cursor: &h.Producer, peerAt: &h.Consumer,
			limit: limit, maxSize: maxSize, packing: opt.Buffer, reserved: -1, began: time.Now(),
			closeTimeout: gate.CloseTimeout, deferred: &deferredUnmap{}, stats: &senderStats{own: &h.ProducerStats},
			onLimit: cmp.Or(opt.OnLimit, Fail), blockTimeout: opt.BlockTimeout, lowMark: uint64(float64(limit) * cmp.Or(opt.ResumeAt, DefaultResumeAt)),
			sleeper: sleep.NewFenced(sleep.WordsOf(h, layout.Producer), sleep.SpinAdaptive, sleep.PeerOf(layout.Producer, seg)),
		}
		s.attach(opt)
		h.ProducerSocket.Store(path)
		s.queue = newOutQueue(s.stats, h, limit, opt.Recycle, s.sleeper.Interrupt)
		if s.onLimit == Block && !seg.Absent(layout.Consumer) {
			s.queue.inherit(s.next.bytes)
		}
		s.own.MaxDescriptors.Store(uint64(s.queue.memory.fds.max))
		s.loop = newSendLoop(seg, s.queue, s.stats, s.next, path, opt)
		return nil
	})
	if err != nil {
		_, leaveErr := seg.Leave(never)
		return nil, shm.InSegment(endpoint.OpCreate, seg.Name(), err, leaveErr)
	}
	return s, nil
}

// startPoller starts the runtime's poller before all descriptors may be buffers.
func startPoller() error {
	err := netpoll.Start()
	if outOfDescriptors(err) {
		return fmt.Errorf("%w: %w", ErrDescriptors, err)
	}
	return err
}

// createSegment takes the role in a segment of transfer mode, in place of a ring
// that nobody is in and nothing is left in.
func createSegment(ctx context.Context, name string, opt SenderOptions) (*shm.Segment, error) {
	if opt.Fresh {
		if err := shm.RemoveIfExists(ctx, name); err != nil {
			return nil, err
		}
	}
	var carryOver uint64 // of the segment that this one replaces
	for {
		seg, err := shm.CreateOrOpen(ctx, name, layout.Geometry{Mode: layout.ModeTransfer}, layout.Producer, opt.Access)
		if err != nil {
			return nil, err
		}
		err = cmp.Or(shm.Guard(func() error { endpoint.AddCarryOver(seg.Header(), carryOver); return nil }), checkMode(seg))
		carryOver = 0
		if err == nil && !abandoned(seg) {
			return seg, nil
		}
		removed := false
		if errors.Is(err, layout.ErrMode) {
			removed, carryOver = replace.Segment(ctx, seg, layout.ModeTransfer)
		}
		h, left := seg.Header(), uint64(0)
		discarded, leaveErr := seg.Leave(func() (unused bool) {
			_ = shm.Guard(func() error {
				left = endpoint.CarryOver(h, layout.ModeTransfer)
				unused = err == nil && h.ConsumerStats.Generation.Load() == 0
				return nil
			})
			return unused
		})
		if discarded {
			carryOver = left
		}
		if leaveErr != nil || err != nil && !removed { // without either, a Receiver may have come to it
			return nil, shm.InSegment(endpoint.OpCreate, name, err, leaveErr)
		}
	}
}

// abandoned reports whether a page is only there to tell that its producer has ended
// without a Receiver: what it had queued went with it, and nobody waits for it. It is
// replaced, and the new one inherits that a stream was not complete: its counts would be of
// messages that nobody can take.
func abandoned(seg *shm.Segment) (so bool) {
	h := seg.Header()
	_ = shm.Guard(func() error {
		so = layout.State(h.ProducerStats.State.Load()) == layout.StateClosed && h.ConsumerStats.Generation.Load() == 0
		return nil
	})
	return so
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
func (s *Sender) attach(opt SenderOptions) {
	s.sleeper.Attach(endpoint.TakeOver(s.own, endpoint.Self(), monotonic.Now, opt.Keep))
	s.count, s.bytes = s.cursor.Count.Load(), s.cursor.Bytes.Load()
	s.next = position{buffers: max(s.own.Buffers.Load(), s.peer.Buffers.Load()), messages: s.count, bytes: s.cursor.Index.Load()}
	s.countBefore, s.consumedBefore = s.count, s.peerAt.Count.Load()
	s.own.Buffers.Store(s.next.buffers)
	s.own.Framing.Store(uint64(opt.Framing))
	s.own.Descriptors.Store(0)
	s.own.Memory.Store(0)
	s.own.RefuseReason.Store(0)
	s.own.Limit.Store(s.limit)
	if s.limit == NoLimit {
		s.own.Limit.Store(0)
	}
	s.own.OnFull.Store(uint64(s.onLimit))
	s.own.BlockTimeout.Store(uint64(s.blockTimeout))
	s.own.ResumeAt.Store(0)
	if s.onLimit == Block {
		s.own.ResumeAt.Store(s.lowMark)
	}
	s.end = layout.EndComplete
	endpoint.SettleSchedule(s.segment.Header())
	endpoint.Begin(s.own)
}
