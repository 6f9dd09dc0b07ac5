package endpoint

import (
	"errors"
	"fmt"

	"sluice/layout"
)

// EndUnreported reports whether no consumer was told how the last producer's stream has
// ended.
func EndUnreported(h *layout.Header) bool {
	return h.ConsumerStats.EndSeen.Load() != h.ProducerStats.Generation.Load()
}

// UntoldEnd returns how the last producer has ended its stream, if it has and no consumer was told.
func UntoldEnd(h *layout.Header) layout.End {
	if layout.State(h.ProducerStats.State.Load()) != layout.StateClosed || !EndUnreported(h) {
		return layout.EndNone
	}
	return layout.End(h.ProducerStats.End.Load())
}

// EndPending reports whether no consumer was told that a stream is not complete: that of the
// last producer, which has ended, or of an earlier one.
func EndPending(h *layout.Header) bool {
	c := &h.ConsumerStats
	return endPending(&h.ProducerStats, c.EndSeen.Load(), c.Incomplete.Load())
}

// endPending is EndPending when consumers were told of that generation's end, and of so many
// incomplete streams.
func endPending(p *layout.RoleStats, seen, incomplete uint64) bool {
	closed := layout.State(p.State.Load()) == layout.StateClosed
	last := closed && layout.End(p.End.Load()) != layout.EndComplete && p.Generation.Load() != seen
	return last || unreported(p, incomplete) > 0
}

// UnreportedIncomplete returns how many streams were stopped or failed after they had
// published something, without a consumer being told.
func UnreportedIncomplete(h *layout.Header) uint64 {
	return unreported(&h.ProducerStats, h.ConsumerStats.Incomplete.Load())
}

// unreported is UnreportedIncomplete when consumers were told of so many incomplete streams.
func unreported(p *layout.RoleStats, incomplete uint64) uint64 {
	return uint64(max(0, int64(p.Incomplete.Load()-incomplete)))
}

// LostUnreported returns how many messages of a transfer were lost without a consumer having
// reported it: it was killed after it had counted them.
func LostUnreported(h *layout.Header) uint64 {
	c := &h.ConsumerStats
	lost := c.Lost.Load()
	return lost - min(c.LostSeen.Load(), lost)
}

// CarryOver returns how many incomplete streams no consumer was told of, for the segment that
// replaces this one of that mode: AddCarryOver. What a transfer's producer had queued is
// missing too, if no consumer has counted it as lost, and reported that: in the next segment
// none can.
func CarryOver(h *layout.Header, mode layout.Mode) (incomplete uint64) {
	incomplete = UnreportedIncomplete(h)
	if mode == layout.ModeTransfer && (h.Producer.Count.Load() != h.Consumer.Count.Load() || LostUnreported(h) > 0) {
		incomplete++
	}
	return incomplete
}

// AddCarryOver adds the CarryOver of a replaced segment to the one that replaces it. Only the
// holder of the producer role may call it.
func AddCarryOver(h *layout.Header, incomplete uint64) {
	if incomplete > 0 {
		h.ProducerStats.Incomplete.Store(h.ProducerStats.Incomplete.LoadRelaxed() + incomplete)
	}
}

// EndWatch tells a consumer how the streams of its producers ended. Streams that were
// stopped or failed are counted and never forgotten: half of one, followed by all of
// the next, is not complete. It is for the holder of the consumer role, on one
// goroutine.
type EndWatch struct {
	producer, consumer *layout.RoleStats
	seen               uint64 // the generation whose end some consumer was told of; 0 = none
	incomplete         uint64 // incomplete streams that some consumer was told of
	now, nowIncomplete uint64 // seen and incomplete, from Acknowledge on
}

var (
	errStopped      = fmt.Errorf("%w: the producer was stopped before it had sent everything", layout.ErrIncomplete)
	errDisconnected = fmt.Errorf("%w: the producer disconnected this consumer, which was too slow", layout.ErrIncomplete)
	errFailed       = fmt.Errorf("%w: the producer failed before it had sent everything", layout.ErrIncomplete)
	errEarlier      = fmt.Errorf("%w: an earlier producer was stopped or failed, or disconnected its consumer, before it had sent everything", layout.ErrIncomplete)
)

// EndOf returns how a stream has ended whose consumer got err at the end: nil for a complete
// one, else a layout.ErrIncomplete. It is EndNone when something is missing for another reason
// than the last producer: an earlier one was stopped or failed, or messages were lost.
func EndOf(err error) layout.End {
	switch {
	case err == nil:
		return layout.EndComplete
	case errors.Is(err, errStopped):
		return layout.EndStopped
	case errors.Is(err, errFailed):
		return layout.EndFailed
	case errors.Is(err, errDisconnected):
		return layout.EndDisconnected
	}
	return layout.EndNone
}

// EndError is the opposite of EndOf, for an end that is not complete.
func EndError(end layout.End) error {
	switch end {
	case layout.EndStopped:
		return errStopped
	case layout.EndDisconnected:
		return errDisconnected
	}
	return errFailed
}

// WatchEnds begins where the last consumer has acknowledged an end: an incomplete stream that
// nobody was told of is reported at the end of the one that follows it, even if nothing is left
// of it.
func WatchEnds(h *layout.Header) EndWatch {
	e := EndWatch{producer: &h.ProducerStats, consumer: &h.ConsumerStats}
	e.seen, e.incomplete = e.consumer.EndSeen.Load(), e.consumer.Incomplete.Load()
	return e
}

// Await says that the consumer waits for the stream after the last one whose end consumers were
// told of, and holds nothing of that: on joining, and after each Acknowledge of one that goes on. A
// producer that has ended a stream as layout.EndDisconnected then begins the next.
func (e *EndWatch) Await() { e.consumer.JoinedAfter.Store(e.seen) }

// MoveTo goes on with the same header at another place in memory.
func (e *EndWatch) MoveTo(h *layout.Header) {
	e.producer, e.consumer = &h.ProducerStats, &h.ConsumerStats
}

// Due reports whether the producer has left in good order and no consumer was told.
// generation is for Report.
func (e *EndWatch) Due() (generation uint64, due bool) {
	// Generation before State: a new holder stores them the other way round, so that the
	// end of the last one is never taken for its own.
	generation = e.producer.Generation.Load()
	return generation, generation != e.seen && layout.State(e.producer.State.Load()) == layout.StateClosed
}

// Report returns nil when everything up to the end of that generation's stream was complete,
// else a layout.ErrIncomplete. ok is false when that producer's successor is there already:
// then this was not the end.
func (e *EndWatch) Report(generation uint64) (ok bool, err error) {
	end, incomplete := layout.End(e.producer.End.Load()), e.producer.Incomplete.Load()
	if e.producer.Generation.Load() != generation {
		return false, nil
	}
	e.now, e.nowIncomplete = generation, incomplete
	switch {
	case end == layout.EndStopped:
		return true, errStopped
	case end == layout.EndFailed:
		return true, errFailed
	case end == layout.EndDisconnected:
		return true, errDisconnected
	case incomplete > e.incomplete:
		return true, errEarlier
	}
	return true, nil
}

// Acknowledge records, for the next consumer, that this one was told the end that Report has
// returned last and has released all of the stream. Without it the next one is told again. A
// consumer that goes on acknowledges an end when it has reported that; one that leaves, after
// the last step of leaving that can be cut short by a kill: it has told nobody until then.
//
// EndSeen goes before Incomplete: a kill between the two makes the next end incomplete as well.
// The other way round, an incomplete stream would be taken for told whose end is told again as
// complete.
func (e *EndWatch) Acknowledge() {
	if e.now == 0 || e.now == e.seen {
		return
	}
	e.seen, e.incomplete = e.now, e.nowIncomplete
	e.consumer.EndSeen.Store(e.seen)
	e.consumer.Incomplete.Store(e.incomplete)
}

// Leave prepares Acknowledge for a consumer that leaves; drained says that it has released
// everything. Then the next one need not be told of a stream that has ended complete, even if
// this one has not asked for more. Any other end has to be reported to a consumer.
func (e *EndWatch) Leave(drained bool) {
	if generation, due := e.Due(); due && drained && generation != e.now {
		now, incomplete := e.now, e.nowIncomplete
		if _, err := e.Report(generation); err != nil {
			e.now, e.nowIncomplete = now, incomplete
		}
	}
}

// Pending is what EndPending will be after Acknowledge.
func (e *EndWatch) Pending() bool {
	seen, incomplete := e.seen, e.incomplete
	if e.now != 0 {
		seen, incomplete = e.now, e.nowIncomplete
	}
	return endPending(e.producer, seen, incomplete)
}
