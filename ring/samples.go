package ring

import (
	"time"

	"sluice/internal/endpoint"
)

// SetDue says when the messages that follow were due: when they should have been sent, however long
// the producer was kept from it. The Reader counts their response times from there. It holds for
// each message that is committed (by Commit, Send or SendBatch) until the next SetDue; the zero
// Time says that what follows is due at no time, as it is without SetDue. A time with a monotonic
// reading, as time.Now and sums with it have, is exact.
//
// The Writer's goroutine calls it, at a cost of some ns. When the Writer is closed it does nothing.
func (w *Writer) SetDue(at time.Time) {
	dueAt := endpoint.DueAt(at)
	w.gate.Enter()
	if w.gate.Closed() { // and Close may be using the sampler
		w.gate.Leave()
		return
	}
	if w.setDue(dueAt, w.staged) {
		w.stop.Store(0) // as Close does; the next call sets it again
	}
	w.gate.Leave()
}
