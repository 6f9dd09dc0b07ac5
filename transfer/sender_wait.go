package transfer

import (
	"context"
	"errors"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/sleep"
)

// A Sender waits for the Receiver's releases, as a ring's Writer does: it sleeps on the Receiver's
// Index, and says from which position on it wants to be woken (sleep.Sleeper, docs/protocol.md).
// What it waits for is memory, and that is free only when descriptors are closed and mappings
// reclaimed, which it does by itself once it is awake.

// await waits until c is ready, within a call.
func (s *Sender) await(ctx context.Context, c sleep.Condition) error {
	if !s.waiting.CompareAndSwap(false, true) {
		panic("transfer: two goroutines wait in one producer")
	}
	defer s.waiting.Store(false)
	return s.sleeper.Wait(ctx, c)
}

// canWait returns why the Sender's wait is over, whatever it is for: it was closed, or can send no
// more.
func (s *Sender) canWait() error {
	if s.gate.Closed() {
		return ErrClosed
	}
	return s.loop.failed()
}

// releasedUpTo reports whether the Receiver has released everything before that byte of the stream,
// as it says.
func (s *Sender) releasedUpTo(at uint64) bool { return int64(s.peerAt.Index.Load()-at) >= 0 }

// noRoom is called when there is no room below the limit for a stage of that many bytes, and
// nothing is staged. It does what the policy says: nil means that there is a stage now.
func (s *Sender) noRoom(ctx context.Context, size int) error {
	if s.waits() {
		// What the message takes has to be free as well, and may be more than lies between the
		// limit and the low mark.
		mark := s.limit - min(s.queue.memory.sizeFor(uint64(size)), s.limit)
		giveUpAt := uint64(0)
		if s.onLimit == Block {
			mark = min(mark, s.lowMark)
		} else {
			giveUpAt = monotonic.Now() + uint64(s.blockTimeout)
		}
		if err := s.await(ctx, roomFor{s, size, mark, s.next.bytes - mark, giveUpAt}); err != errTimedOut {
			return err
		}
	}
	if s.onLimit == Drop {
		s.own.Dropped.AddRelaxed(1)
		return ErrDropped
	}
	return s.limitReached()
}

// waits reports whether the Sender waits at its limit.
func (s *Sender) waits() bool { return s.onLimit == Block || s.blockTimeout > 0 }

// errTimedOut ends a wait for room: SenderOptions.BlockTimeout is over.
var errTimedOut = errors.New("no room for too long")

// roomFor is the condition of a Sender that waits at its limit for a stage of size bytes, until at
// most mark bytes are in flight: those after position resume.
type roomFor struct {
	s            *Sender
	size         int
	mark, resume uint64
	giveUpAt     uint64 // monotonic ns; 0 = it waits as long as it takes
}

// Ready takes the stage when it is true.
func (c roomFor) Ready() (bool, error) {
	if err := c.s.canWait(); err != nil {
		return false, err
	}
	if c.s.releasedUpTo(c.resume) && c.s.queue.fallenTo(c.mark, c.s.next) && c.s.makeStage(c.size) {
		return true, nil
	}
	if c.giveUpAt == 0 || monotonic.Now() < c.giveUpAt {
		return false, nil
	}
	if c.s.makeStage(c.size) { // there may be room without as much as was asked for
		return true, nil
	}
	return false, errTimedOut
}

// WakeAt asks for the mark and never for less: so the Receiver wakes the Sender at most once while
// the queue falls from the limit to the mark. If it has fallen so far, and the sendLoop has not
// noted all of that as sent, no release helps any more, and none is asked for: see
// outQueue.fallenTo.
func (c roomFor) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	if c.giveUpAt != 0 {
		timeout = time.Duration(max(1, int64(c.giveUpAt-monotonic.Now())))
	}
	if c.s.releasedUpTo(c.resume) {
		return c.resume + maxStream, 0, timeout
	}
	return c.resume, 0, timeout
}

// maxStream is further than a stream gets, bytes.
const maxStream = 1 << 62

// Deadlocked returns nil: a Sender waits as long as it takes.
func (c roomFor) Deadlocked() error { return nil }

// Drain sends what is committed, full buffers or not, and waits until the consumer has released
// everything, this one or one that is still to come. It returns nil then, and else the cause of
// ctx, ErrClosed after a Close, or what keeps the Sender from sending for good; what is not
// released stays queued. A message that is reserved is not waited for. The wait counts as blocked.
// The Sender's goroutine calls it.
func (s *Sender) Drain(ctx context.Context) error {
	s.gate.Enter()
	defer s.gate.Leave()
	if s.gate.Closed() {
		return s.closedError()
	}
	s.flush()
	d := drained{s}
	ok, err := d.Ready()
	if !ok && err == nil {
		err = s.await(ctx, d)
	}
	return s.waitError(ctx, endpoint.OpDrain, err)
}

// waitError returns the error of a call that has waited.
func (s *Sender) waitError(ctx context.Context, op string, err error) error {
	if err == ErrClosed {
		return s.closedError()
	}
	return s.callError(ctx, op, err)
}

// drained is the condition that the Receiver has released everything.
type drained struct{ s *Sender }

// Ready looks at the Receiver's count, which it stores before its index.
func (d drained) Ready() (bool, error) {
	if err := d.s.canWait(); err != nil {
		return false, err
	}
	return d.s.unread() == 0, nil
}

// WakeAt asks for everything that was queued.
func (d drained) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) {
	return d.s.next.bytes, 0, 0
}

// Deadlocked returns nil, as roomFor's.
func (d drained) Deadlocked() error { return nil }
