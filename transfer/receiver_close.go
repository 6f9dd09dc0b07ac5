package transfer

import (
	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/shm"
)

// Close releases the role. What was not released stays with the producer, for
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
	r.closeMu.Lock()
	defer r.closeMu.Unlock()
	if r.closed {
		return nil
	}
	if !r.gate.Closed() {
		r.gate.Close()
		close(r.stopped)
	}
	r.interrupt()
	if !r.gate.Wait(r.closeTimeout) {
		return shm.InSegment(endpoint.OpClose, r.segment.Name(), ErrBusy)
	}
	r.closed = true
	truncated := shm.Guard(func() error {
		r.times.finish(r.taken, r.released.messages)
		if !r.wroteOff {
			r.writeOff()
		}
		return nil
	})
	errs := []error{r.disconnect(), r.accept.close(), r.alarm.Close()}
	if r.held > 0 {
		var unmap []func() error
		for _, m := range r.buffers.retired {
			unmap = append(unmap, m.mem.Unmap)
		}
		errs = append(errs, deferUnmap(r, r.deferred, unmap...))
	} else {
		errs = append(errs, r.unmapReleased())
	}
	acknowledges := r.held == 0 // else the next Receiver takes what is held, and is told the end after it
	fault := shm.Guard(func() error {
		r.unread = r.countUnread()
		if acknowledges {
			r.ends.Leave(r.unread == 0)
		}
		r.segment.Header().ConsumerSocket.Store("")
		endpoint.EndSleep(r.own, monotonic.Now) // if the last call slept
		return nil
	})
	own, peer := r.own, r.peer
	var recordFault error
	_, leaveErr := r.segment.Leave(func() bool { return !keepRequested(own, peer) && !r.unclaimed(acknowledges) }, func() {
		// Last: who is killed before this has not left in good order, and the next Receiver is
		// told the end again.
		recordFault = shm.Guard(func() error {
			if acknowledges {
				r.ends.Acknowledge()
			}
			own.LostSeen.Store(own.Lost.Load()) // whoever closes the Receiver can know them
			endpoint.Close(own, monotonic.Now())
			return nil
		})
	})
	return shm.InSegment(endpoint.OpClose, r.segment.Name(), append(errs, truncated, fault, recordFault, leaveErr)...)
}

// unclaimed reports whether there is something for the next Receiver: messages went with a
// producer that was killed since the last look, and nobody has counted them, or nobody was
// told of an end that was not complete. acknowledges says that this Receiver records what it was
// told.
func (r *Receiver) unclaimed(acknowledges bool) (some bool) {
	_ = shm.Guard(func() error {
		h := r.segment.Header()
		pending := acknowledges && r.ends.Pending() || !acknowledges && endpoint.EndPending(h)
		some = pending || h.Producer.Count.Load() != h.Consumer.Count.Load()
		return nil
	})
	return some
}
