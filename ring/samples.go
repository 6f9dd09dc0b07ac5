package ring

import (
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
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
	switch {
	case (dueAt == 0) != (w.dueAt == 0):
		// No sample stands for messages of both kinds.
		w.sampler.begin(w.staged)
		w.stop.Store(0) // as Close does; the next call sets it again
	case dueAt >= w.sampler.late && dueAt != 0 && !w.sampler.due(w.staged):
		w.sampler.next = w.staged
		w.stop.Store(0)
	}
	w.dueAt = dueAt
	w.gate.Leave()
}

// stageSample looks whether the message that is being committed is a sample, and makes it one.
func (w *Writer) stageSample() {
	// The Reader's cache line is loaded here, for both, and nowhere else at a sample.
	queued := w.samples.Queued()
	w.noteDepth(w.peerCursor.Count.Load())
	if n := w.sampler.look(w.staged, w.dueAt, queued); n > 0 {
		w.samples.Stage(w.tail, w.dueAt, n)
		if w.dueAt != 0 {
			w.sampler.adapt(w.dueAt)
		}
	}
	w.setStop()
}

// publishSamples stores the time in the samples that are staged, and as progress of this side.
func (w *Writer) publishSamples() {
	now := monotonic.Now()
	n := w.samples.Publish(now)
	if w.dueAt == 0 {
		for range n {
			w.sampler.adapt(now)
		}
	}
	w.ownStats.ProgressAt.StoreRelaxed(now)
}

// sampleOften makes samples denser: a side has slept. Where messages have due times, those say how
// dense they are to be.
func (w *Writer) sampleOften() {
	if w.dueAt == 0 {
		w.sampler.denser(w.staged)
	}
}
