package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/internal/timerfd"
	"sluice/layout"
	"sluice/shm"
)

// A Close may come from another goroutine than the one that uses the end, at any
// instruction of it. What is asked of it is what package ring asks: the next call of the
// user fails, and one that waits is ended; nothing faults; the peer and the next holder of
// the role find what the user had published, and nothing that it stores later.
//
// Every call passes a gate (gate.Gate). Close closes it, ends a call that waits, and waits
// for the one that is inside. Then nobody else is in a call, and Close may do what the
// user may: send what is committed, and when the sendLoop has ended give up the role and
// unmap. Some calls pass no gate. Unread, Drain and StopSending take a lock, as they work until Close;
// StopSending closes the gate too, so that nothing is published after it has counted. Publish of a
// packed buffer is as frequent as messages are; for it the header page is made private
// (shm.Segment.Detach) before the role is given up, and unmapped later.
//
// The user may be between two calls and in the middle of a slice. Slices of ordinary
// memory are the garbage collector's. Those of recycled buffers are of a mapping, which
// stays until the user shows that it has none any more (deferredUnmap). It needs not be made
// private, as the ring's: what is written to a reservation lies behind what is committed,
// where no consumer looks, or in a buffer that is not sent; and such a buffer is not used
// for anything else any more.
//
// A call that can panic leaves the gate all the same. So a call that stays inside is one
// that works, maybe on a message of a GiB, and closeTimeout is long. When it is over,
// Close has done nothing but end all further calls.

// giveUp is the context of a Shutdown that does not wait for a consumer: one that is done.
var giveUp = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// closeTimeout is how long Close waits for a call that is under way.
const closeTimeout = 10 * time.Second

// Shutdown ends the stream: it sends what is left and the end, and waits until the consumer has
// released everything. When ctx is done and no consumer is there, it gives up: an
// *UndeliveredError, or an ErrUndelivered without a number where a truncated segment does not
// tell it. With a consumer it waits on, however slow that is, until Abort. Nothing can be sent
// any more. The role is held until Close.
//
// Any goroutine may call it, at any time, as Close and Abort: it waits for the call that is
// under way, which waits for nobody itself, and every later one returns ErrClosed. What is
// committed is sent, published or not. A reservation stays readable and writable until the
// next Commit, Reserve or Send, or until the Sender is no longer reachable; what is written
// there goes nowhere. ErrBusy when the call under way does not end.
//
// [Sender.Drain] waits for delivery too, and ends nothing.
func (s *Sender) Shutdown(ctx context.Context) error {
	s.ending.Lock()
	defer s.ending.Unlock()
	return s.shutDown(ctx)
}

// shutDown is Shutdown with s.ending held. It works on once.
func (s *Sender) shutDown(ctx context.Context) error {
	if s.isShutDown {
		return nil
	}
	s.gate.Close()
	if !s.gate.Wait(s.closeTimeout) {
		return shm.InSegment("close", s.segment.Name(), ErrBusy)
	}
	s.isShutDown = true
	fault := s.publishLast()
	err := s.loop.finish(ctx)
	left, closeErr := s.queue.close()
	err = errors.Join(err, closeErr)
	s.undelivered = left || err != nil || fault != nil
	lost := uint64(0)
	if left {
		fault = cmp.Or(fault, shm.Guard(func() error { lost = s.unread(); return nil }))
	}
	if left && errors.Is(s.segment.Check(), shm.ErrTruncated) { // what the consumer has released stood there
		return errors.Join(err, fault, shm.InSegment("", s.segment.Name(), fmt.Errorf("%w: how many is not known", ErrUndelivered)))
	}
	if lost > 0 {
		s.lost = lost
		fault = cmp.Or(fault, shm.Guard(func() error { endpoint.SetEnd(s.own, layout.EndFailed, s.end == layout.EndComplete); return nil }))
		why := "that no consumer was there for"
		switch {
		case s.loop.aborted.Load():
			why = "that no consumer has released"
		case err != nil:
			why = "that were not delivered"
		}
		err = errors.Join(err, shm.InSegment("", s.segment.Name(), &UndeliveredError{Lost: lost, why: why}))
	}
	return errors.Join(err, fault)
}

// Drain sends what is committed, full buffers or not, and waits until the consumer has released
// everything, this one or one that is still to come. It returns nil then, and else the cause of
// ctx, ErrClosed after a Close, or what keeps the Sender from sending for good; what is not
// released stays queued. A message that is reserved is not waited for. The Sender's goroutine
// calls it.
func (s *Sender) Drain(ctx context.Context) error {
	if err := s.beginDrain(); err != nil {
		return err
	}
	var alarm timerfd.Alarm
	defer alarm.Close()
	alarm.Set(ctx)
	for wait := minDrainPoll; ; wait = min(2*wait, maxDrainPoll) {
		// Outside of a call, so that Close need not wait for this one.
		unread, closed := s.drainStep()
		switch {
		case closed:
			return ErrClosed
		case unread == 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if err := s.loop.failed(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-s.loop.done:
		case <-time.After(wait):
		}
	}
}

// How often Drain looks whether everything is released: the first time, and at last.
const (
	minDrainPoll = 100 * time.Microsecond
	maxDrainPoll = 10 * time.Millisecond
)

// drainStep notes that this side is not hung, and returns how many messages Drain waits for.
func (s *Sender) drainStep() (unread uint64, closed bool) {
	s.page.Lock()
	defer s.page.Unlock()
	if s.left || s.gate.Closed() {
		return 0, true
	}
	s.stats.progress()
	return s.unread(), false
}

// beginDrain queues what is committed.
func (s *Sender) beginDrain() error {
	s.gate.Enter()
	defer s.gate.Leave()
	if s.gate.Closed() {
		return ErrClosed
	}
	s.flush()
	return nil
}

// publishLast is sendLast, unless the Sender has stopped sending: then after Abort, when nobody asks
// any more what is lost.
func (s *Sender) publishLast() error {
	for {
		s.loop.awaitAbort()
		s.page.Lock() // not while StopSending counts
		if !s.loop.stopping.Load() || s.loop.aborted.Load() {
			defer s.page.Unlock()
			return shm.Guard(func() error { s.sendLast(); return nil })
		}
		s.page.Unlock()
	}
}

// sendLast sends what is committed, and gives up what is not. No call is under way.
func (s *Sender) sendLast() {
	if s.recycled != nil && s.reserved >= 0 {
		s.recycled.lent = true
		mem := s.recycled.mem
		keep(s, s.deferred, mem.Unmap)
	}
	s.enqueue()
	s.publishCounts()
	s.dropStage()
	// Before the end is sent: the Receiver looks at it then.
	endpoint.SetEnd(s.own, s.end, s.count != s.countBefore)
}

// Abort gives up at once, whether a consumer is there or not, and gives the role back: an
// *UndeliveredError when something was not released; a consumer that is there can still take
// those messages that were sent. Any goroutine may call it, also while another is in Shutdown
// or Close, which then returns.
func (s *Sender) Abort() error {
	s.loop.abort()
	return s.Close()
}

// Close ends the stream and gives the role back. While a consumer lives it waits until that
// has released everything; without one it gives up, which is an *UndeliveredError if something
// was not released. To wait for a consumer, call [Sender.Shutdown] first: then Close has nothing
// to wait for, and does not say again what Shutdown has said.
//
// Any goroutine may call it. It waits for a Shutdown or Close that another goroutine is in.
// After ErrBusy the role is still held, and Close may be called again.
func (s *Sender) Close() error {
	s.ending.Lock()
	defer s.ending.Unlock()
	if s.left {
		return nil
	}
	err := s.shutDown(giveUp)
	if !s.isShutDown {
		return err
	}
	delivered := err == nil && !s.undelivered
	s.page.Lock() // nobody is in Unread
	s.left = true
	s.page.Unlock()
	if s.packing > 0 {
		if detachErr := s.segment.Detach(); detachErr != nil {
			// The user may still store to the file: the role stays with this process.
			return errors.Join(err, detachErr)
		}
	}
	var h *layout.Header
	var own, peer *layout.RoleStats
	fault := shm.Guard(func() error {
		h = s.segment.Header()
		own, peer = &h.ProducerStats, &h.ConsumerStats
		own.Descriptors.Store(0)
		own.Memory.Store(0)
		endpoint.Close(own, monotonic.Now())
		return nil
	})
	_, leaveErr := s.segment.Leave(func() bool {
		return fault != nil || !s.untold(h, delivered) && !keeps(own, peer)
	})
	if s.packing > 0 {
		keep(s, s.deferred, s.segment.Unmap)
	}
	return errors.Join(err, fault, leaveErr)
}

// untold reports whether the page has to stay for a Receiver that is still to come: it is to
// be told of the end and nobody was; or the last one has died when it had released
// everything that was delivered, and its successor waits for the end; or nobody has counted
// what went with an earlier producer.
func (s *Sender) untold(h *layout.Header, delivered bool) (untold bool) {
	_ = shm.Guard(func() error {
		untold = s.keepEnd.Load() && endpoint.EndUnreported(h) || delivered && endpoint.Died(&h.ConsumerStats) || h.Consumer.Count.Load() < s.countBefore
		return nil
	})
	return untold
}

// untaken reports whether there is something for the next Receiver: messages went with a
// producer that was killed since the last look, and nobody has counted them, or nobody was
// told of an end that was not complete.
func untaken(h *layout.Header) (some bool) {
	_ = shm.Guard(func() error {
		some = h.Producer.Count.Load() != h.Consumer.Count.Load() || endpoint.EndPending(h)
		return nil
	})
	return some
}

// keeps reports whether either side has asked to leave the segment in place. A
// page that cannot be read is not worth keeping.
func keeps(sides ...*layout.RoleStats) (keep bool) {
	_ = shm.Guard(func() error {
		for _, side := range sides {
			keep = keep || side.Keep.Load() != 0
		}
		return nil
	})
	return keep
}

// Close gives the role back. What was not released stays with the producer, for
// the next Receiver, or is lost when there is none.
//
// Any goroutine may call it, at any time, and several at once: the first closes, and the
// others wait for it and return nil. A call that waits returns ErrClosed, and so does every
// later one; Release gives nothing back then. Messages from Next stay readable until the
// next Release or Take, or until the Receiver is no longer reachable. Those in recycled
// buffers may change: when the next Receiver has released them, the producer uses the
// buffers again.
//
// ErrBusy when a call is under way that does not end. Then the role is still held, and
// Close may be called again.
func (r *Receiver) Close() error {
	r.closing.Lock()
	defer r.closing.Unlock()
	if r.closed {
		return nil
	}
	if !r.gate.Closed() {
		r.gate.Close()
		close(r.stopped)
	}
	r.interrupt()
	if !r.gate.Wait(r.closeTimeout) {
		return shm.InSegment("close", r.segment.Name(), ErrBusy)
	}
	r.closed = true
	truncated := shm.Guard(func() error {
		if !r.wroteOff {
			r.writeOff()
		}
		return nil
	})
	err := errors.Join(r.hangUp(), r.accept.close(), r.alarm.Close())
	if r.held > 0 {
		var unmap []func() error
		for _, m := range r.buffers.retired {
			unmap = append(unmap, m.mem.Unmap)
		}
		err = errors.Join(err, keep(r, r.deferred, unmap...))
	} else {
		err = errors.Join(err, r.unmapReleased())
	}
	fault := shm.Guard(func() error {
		r.unread = r.countUnread()
		r.leaveEnd()
		r.segment.Header().ConsumerSocket.Store("")
		endpoint.EndSleep(r.own, monotonic.Now) // if the last call slept
		endpoint.Close(r.own, monotonic.Now())
		return nil
	})
	own, peer := r.own, r.peer
	_, leaveErr := r.segment.Leave(func() bool { return !keeps(own, peer) && !untaken(r.segment.Header()) })
	return errors.Join(err, cmp.Or(truncated, fault), leaveErr)
}

// leaveEnd notes what the next Receiver need not be told of.
func (r *Receiver) leaveEnd() {
	if r.held == 0 && r.segment.Header().Producer.Count.Load() == r.released.messages {
		r.ends.Leave(true)
	}
}
