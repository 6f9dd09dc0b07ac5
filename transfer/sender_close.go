package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/shm"
)

// giveUp is the context of a Shutdown that does not wait for a consumer: one that is done.
var giveUp = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// EndAs says how Shutdown and Close will have ended the stream; without it, complete. With
// layout.EndStopped and layout.EndFailed the Receiver gets ErrIncomplete for its end.
func (s *Sender) EndAs(end layout.End) {
	s.gate.Enter()
	defer s.gate.Leave()
	if !s.gate.Closed() {
		s.end = end
	}
}

// KeepEnd makes Close leave the header page, even with nothing in flight, when no Receiver
// was told that the stream has ended. The next one is, where it would else wait for a
// stream to begin; if another Sender comes first, its Receiver is told that a stream was not
// complete. It may be called until Close, also after Shutdown.
func (s *Sender) KeepEnd() { s.keepEnd.Store(true) }

// DeliverEnd makes Shutdown wait for a consumer even when there is nothing to deliver
// but the end.
func (s *Sender) DeliverEnd() { s.loop.mustEnd.Store(true) }

// Shutdown ends the stream: it sends what is left and the end, and waits until the consumer has
// released everything. When ctx is done and no consumer is there, it gives up: an
// *UndeliveredError, or an ErrUndelivered without a number where a truncated segment does not
// tell it. With a consumer it waits on, however slow that is, until Abort. Nothing can be sent
// any more. The role is held until Close.
//
// Any goroutine may call it, at any time, as Close and Abort: it waits for the call that is
// under way, which is ended if it waits, and every later one returns ErrClosed. What is
// committed is sent, published or not. A reservation stays readable and writable until the
// next Commit, Reserve or Send, or until the Sender is no longer reachable; what is written
// there goes nowhere. ErrBusy when the call under way does not end.
//
// [Sender.Drain] waits for delivery too, and ends nothing.
func (s *Sender) Shutdown(ctx context.Context) error {
	s.endMu.Lock()
	defer s.endMu.Unlock()
	return shm.InSegment(endpoint.OpClose, s.segment.Name(), s.shutDown(ctx)...)
}

// shutDown is Shutdown with s.endMu held, and returns what has failed. It works on once.
func (s *Sender) shutDown(ctx context.Context) []error {
	if s.isShutDown {
		return nil
	}
	s.gate.Close()
	s.sleeper.Interrupt()
	if !s.gate.Wait(s.closeTimeout) {
		return []error{ErrBusy}
	}
	s.sleeper.StopWatching()
	s.isShutDown = true
	fault := s.publishLast()
	loopErr := s.loop.finish(ctx)
	left, closeErr := s.queue.close()
	err := cmp.Or(loopErr, closeErr)
	s.undelivered = left || err != nil || fault != nil
	lost, undelivered := uint64(0), error(nil)
	if left {
		fault = cmp.Or(fault, shm.Guard(func() error { lost = s.unread(); return nil }))
	}
	if left && errors.Is(s.segment.Check(), shm.ErrTruncated) { // what the consumer has released stood there
		return []error{loopErr, closeErr, fault, fmt.Errorf("%w: how many is not known", ErrUndelivered)}
	}
	if lost > 0 {
		s.lost = lost
		fault = cmp.Or(fault, shm.Guard(func() error { endpoint.SetEnd(s.own, layout.EndFailed, s.end == layout.EndComplete); return nil }))
		why := "that no consumer has released"
		if err != nil && !s.loop.aborted.Load() {
			why = "that were not delivered"
		}
		undelivered = &UndeliveredError{Lost: lost, why: why}
	}
	return []error{loopErr, closeErr, undelivered, fault}
}

// publishLast is sendLast, unless the Sender has stopped sending: then after Abort, when
// nobody asks any more what is lost.
func (s *Sender) publishLast() error {
	for {
		s.loop.awaitAbort()
		s.pageMu.Lock() // not while StopSending counts
		if !s.loop.stopping.Load() || s.loop.aborted.Load() {
			defer s.pageMu.Unlock()
			return shm.Guard(func() error { s.sendLast(); return nil })
		}
		s.pageMu.Unlock()
	}
}

// sendLast sends what is committed, and gives up what is not. No call is under way.
func (s *Sender) sendLast() {
	if s.recycled != nil && s.reserved >= 0 {
		s.recycled.lent = true
		mem := s.recycled.mem
		deferUnmap(s, s.deferred, mem.Unmap)
	}
	s.enqueue()
	s.publishCounts()
	s.dropStage()
	// Before the end is sent: the Receiver looks at it then.
	endpoint.SetEnd(s.own, s.end, s.count != s.countBefore)
}

// Abort gives up at once, whether a consumer is there or not, and releases the role: an
// *UndeliveredError when something was not released; a consumer that is there can still take
// those messages that were sent. Any goroutine may call it, also while another is in Shutdown
// or Close, which then returns.
func (s *Sender) Abort() error {
	s.loop.abort()
	return s.Close()
}

// Close ends the stream and releases the role. While a consumer lives it waits until that
// has released everything; without one it gives up, which is an *UndeliveredError if something
// was not released. To wait for a consumer, call [Sender.Shutdown] first: then Close has nothing
// to wait for, and does not say again what Shutdown has said.
//
// Any goroutine may call it. It waits for a Shutdown or Close that another goroutine is in.
// After ErrBusy the role is still held, and Close may be called again.
func (s *Sender) Close() error {
	s.endMu.Lock()
	defer s.endMu.Unlock()
	if s.pageGone {
		return nil
	}
	errs := s.shutDown(giveUp)
	if !s.isShutDown {
		return shm.InSegment(endpoint.OpClose, s.segment.Name(), errs...)
	}
	delivered := !s.undelivered && cmp.Or(errs...) == nil
	s.pageMu.Lock() // nobody is in Unread
	s.pageGone = true
	s.pageMu.Unlock()
	if s.packing > 0 {
		if detachErr := s.segment.Detach(); detachErr != nil {
			// The user may still store to the file: the role stays with this process.
			return shm.InSegment(endpoint.OpClose, s.segment.Name(), append(errs, detachErr)...)
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
		return fault != nil || !s.endUnreported(h, delivered) && !keepRequested(own, peer)
	})
	if s.packing > 0 {
		deferUnmap(s, s.deferred, s.segment.Unmap)
	}
	return shm.InSegment(endpoint.OpClose, s.segment.Name(), append(errs, fault, leaveErr)...)
}

// endUnreported reports whether the page has to stay for a Receiver that is still to come: it is to
// be told of the end and nobody was; or the last one has died when it had released
// everything that was delivered, and its successor waits for the end; or nobody has counted
// what went with an earlier producer.
func (s *Sender) endUnreported(h *layout.Header, delivered bool) (some bool) {
	_ = shm.Guard(func() error {
		some = s.keepEnd.Load() && endpoint.EndUnreported(h) || delivered && endpoint.Died(&h.ConsumerStats) || h.Consumer.Count.Load() < s.countBefore
		return nil
	})
	return some
}

// stopTimeout is how long StopSending waits for a call of the user's that is under way, and
// for the sendLoop, which looks once a pollInterval.
const stopTimeout = 5 * pollInterval

// StopSending sends nothing more, and returns how many of the messages that were published
// are lost when this process ends now: those that were not handed over to a consumer that
// lives. What was handed over is in the socket and in the consumer's hands, and stays
// there. exact is false when that could not be found out; then n is the most that there
// can be.
//
// Any goroutine may call it, once, and before Close. It is for a process that ends without:
// every call that would publish something waits until Abort, which alone ends this Sender.
func (s *Sender) StopSending() (n uint64, exact bool) {
	s.loop.stopping.Store(true) // before the gate is closed: a call that finds it closed waits for Abort
	s.gate.Close()
	s.sleeper.Interrupt()
	at, exact := s.loop.stopSending()
	exact = s.gate.Wait(stopTimeout) && exact
	s.pageMu.Lock()
	defer s.pageMu.Unlock()
	if s.pageGone {
		return 0, true // Close has said what is lost
	}
	if !exact {
		at = s.peerAt.Count.Load()
	}
	count := s.cursor.Count.Load()
	n = count - min(max(at, s.countBefore), count)
	return n, exact || n == 0
}
