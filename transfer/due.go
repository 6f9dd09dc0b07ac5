package transfer

import (
	"time"

	"sluice/internal/endpoint"
)

// SetDue says when the messages that follow were due: when they should have been sent, however long
// the producer was kept from it. The Receiver counts their response times from there. It holds for
// each message that is committed (by Commit, Send or SendBatch) until the next SetDue; the zero
// Time says that what follows is due at no time, as it is without SetDue. A time with a monotonic
// reading, as time.Now and sums with it have, is exact.
//
// The Sender's goroutine calls it, at a cost of some ns. When the Sender is closed it does nothing.
func (s *Sender) SetDue(at time.Time) {
	due := endpoint.DueAt(at)
	if (due == 0) != (s.due.next == 0) && s.packing > 0 {
		s.Flush() // no buffer has messages of both kinds, unless there is a reservation now
	}
	s.gate.Enter()
	if !s.gate.Closed() {
		s.due.set(due, s.count)
	}
	s.gate.Leave()
}

// dueTime is when messages were due, ns of the monotonic clock, 0 = at no time. A commit does not
// touch it.
type dueTime struct {
	next  uint64 // of what is committed from now on
	count uint64 // messages that were committed before next was set
	older uint64 // of the last of those
}

// set changes the due time of what is committed after count messages.
func (d *dueTime) set(at, count uint64) {
	if count != d.count {
		d.count, d.older = count, d.next
	}
	d.next = at
}

// last returns when the last of count messages was due.
func (d *dueTime) last(count uint64) uint64 {
	if count == d.count {
		return d.older
	}
	return d.next
}
