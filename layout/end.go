package layout

import (
	"errors"
	"fmt"
)

// EndUntold reports whether no consumer was told how the last producer's stream has ended.
func EndUntold(h *Header) bool {
	return h.ConsumerStats.EndSeen.Load() != h.ProducerStats.Generation.Load()
}

// EndPending reports whether no consumer was told that a stream is not complete: that of the
// last producer, which has ended, or of an earlier one.
func EndPending(h *Header) bool {
	p := &h.ProducerStats
	last := State(p.State.Load()) == StateClosed && End(p.End.Load()) != EndComplete && EndUntold(h)
	return last || IncompleteUntold(h) > 0
}

// IncompleteUntold returns how many streams were stopped or failed, of which something was
// there to take, and no consumer was told.
func IncompleteUntold(h *Header) uint64 {
	return uint64(max(0, int64(h.ProducerStats.Incomplete.Load()-h.ConsumerStats.Incomplete.Load())))
}

// Inheritance returns what a segment that replaces one of that mode inherits: how many
// streams were not complete, and nobody was told. What a transfer's producer had queued is
// missing too, if no consumer has counted it as lost: in the next segment none can.
func Inheritance(h *Header, mode Mode) uint64 {
	incomplete := IncompleteUntold(h)
	if mode == ModeTransfer && h.Producer.Count.Load() != h.Consumer.Count.Load() {
		incomplete++
	}
	return incomplete
}

// Inherit adds an Inheritance to a segment. It is for the holder of the producer role.
func Inherit(h *Header, incomplete uint64) {
	if incomplete > 0 {
		h.ProducerStats.Incomplete.Store(h.ProducerStats.Incomplete.LoadRelaxed() + incomplete)
	}
}

// EndWatch tells a consumer how the streams of its producers ended. Streams that were
// stopped or failed are counted and never forgotten: half of one, followed by all of
// the next, is not complete. It is for the holder of the consumer role, on one
// goroutine.
type EndWatch struct {
	producer, consumer *RoleStats
	seen               uint64 // the holder whose end some consumer was told of; 0 = none
	incomplete         uint64 // incomplete streams that some consumer was told of
	now, nowIncomplete uint64 // seen and incomplete, once this consumer is done with it
}

var (
	errStopped = fmt.Errorf("%w: the producer was stopped before it had sent everything", ErrIncomplete)
	errFailed  = fmt.Errorf("%w: the producer failed before it had sent everything", ErrIncomplete)
)

// EndOf returns how a stream has ended of which a consumer was told with err: nil for a
// complete one, else an ErrIncomplete. It is EndNone for one of which something is missing
// although its last producer need not have stopped or failed: an earlier one has, or
// messages were lost.
func EndOf(err error) End {
	switch {
	case err == nil:
		return EndComplete
	case errors.Is(err, errStopped):
		return EndStopped
	case errors.Is(err, errFailed):
		return EndFailed
	}
	return EndNone
}

// WatchEnds begins to watch where the last consumer was done: an incomplete stream that
// nobody was told of is told of at the end of the one that goes on with it, whether some of
// it is still there to take or not, and however far that one is.
func WatchEnds(h *Header) EndWatch {
	e := EndWatch{producer: &h.ProducerStats, consumer: &h.ConsumerStats}
	e.seen, e.incomplete = e.consumer.EndSeen.Load(), e.consumer.Incomplete.Load()
	return e
}

// Due reports whether the producer has left in good order and no consumer was told.
// holder is what Tell wants to know.
func (e *EndWatch) Due() (holder uint64, due bool) {
	// Generation before State: a new holder stores them the other way round, so that the
	// end of the last one is never taken for its own.
	holder = e.producer.Generation.Load()
	return holder, holder != e.seen && State(e.producer.State.Load()) == StateClosed
}

// Tell returns nil when everything up to the end of the holder's stream was complete,
// else an ErrIncomplete. ok is false when that holder's successor is there already:
// then this was not the end.
func (e *EndWatch) Tell(holder uint64) (err error, ok bool) {
	end, incomplete := End(e.producer.End.Load()), e.producer.Incomplete.Load()
	if e.producer.Generation.Load() != holder {
		return nil, false
	}
	e.now, e.nowIncomplete = holder, incomplete
	switch {
	case end == EndStopped:
		return errStopped, true
	case end == EndFailed:
		return errFailed, true
	case incomplete > e.incomplete:
		return fmt.Errorf("%w: an earlier producer was stopped or failed before it had sent everything", ErrIncomplete), true
	}
	return nil, true
}

// Done notes, for the next consumer, that this one was told and has released all
// of the stream. Without it the next one is told again.
func (e *EndWatch) Done() {
	if e.now == 0 || e.now == e.seen {
		return
	}
	e.seen, e.incomplete = e.now, e.nowIncomplete
	e.consumer.Incomplete.Store(e.incomplete)
	e.consumer.EndSeen.Store(e.seen)
}

// Leave is Done for a consumer that leaves, and has released everything if drained is true.
// Of a stream that has ended complete, the next one need not be told then, whether this one
// has asked for more or not. Of another end somebody has to be told.
func (e *EndWatch) Leave(drained bool) {
	if holder, due := e.Due(); due && drained && holder != e.now {
		now, incomplete := e.now, e.nowIncomplete
		if err, _ := e.Tell(holder); err != nil {
			e.now, e.nowIncomplete = now, incomplete
		}
	}
	e.Done()
}
