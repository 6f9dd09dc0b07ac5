package flow

import (
	"slices"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// HeldUp says what holds up a producer that was blocked for a notable part of the interval. The
// consumer of its own segment may itself be blocked, as the producer of the next one: what holds up
// all of them is at the end of Path.
type HeldUp struct {
	Path    []string // segments in which a producer is blocked, from its own to the last
	Blocked float64  // share of the interval that the producer of the first was blocked
	Cause   Cause
	// Consumer is that of the last segment, as it says; the zero value with CauseNoConsumer and
	// CauseCycle.
	Consumer      Process
	NoProgressFor time.Duration // with CauseStalled

	// Bridge is the verdict on the last segment, which says what is wrong beyond its consumer,
	// if that is a bridge, and slower; else nil.
	Bridge *pressure.Verdict
}

// Cause is what is wrong at the end of the path.
type Cause string

// The causes.
const (
	CauseSlower      Cause = "slower"      // the consumer is not blocked, and slower than its producer
	CauseStopped     Cause = "stopped"     // the consumer's process is stopped
	CauseStalled     Cause = "stalled"     // the consumer is alive and makes no progress
	CauseNoConsumer  Cause = "no-consumer" // there is no consumer
	CauseUnconnected Cause = "unconnected" // transfer: the consumer is alive and has no connection
	CauseCycle       Cause = "cycle"       // the consumer of the last segment is blocked in one of Path: each waits for the next
)

// cause returns why the producer was blocked, "" if it was not, or if the consumer was hardly
// slower. It follows the verdict on the segment, which is shown beside it.
func (s *Segment) cause() Cause {
	if !s.Now.Producer.Alive || s.Now.Producer.AliveUnknown || s.Now.Producer.Stopped || s.Interval.ProducerBlocked < pressure.Noticeable {
		return ""
	}
	switch v := s.Verdict; v.Kind {
	case pressure.ConsumerBound:
		return CauseSlower
	case pressure.Stopped:
		if v.Role == layout.Consumer {
			return CauseStopped
		}
	case pressure.Stalled:
		return CauseStalled
	case pressure.NoConsumer:
		return CauseNoConsumer
	case pressure.Unconnected:
		return CauseUnconnected
	}
	return ""
}

// next returns the segment in which the consumer of segment i is blocked as a producer. A process
// that is stopped is not, and neither is a bridge, unless its stream is full.
func (b *builder) next(i int) (next int, ok bool) {
	s := &b.segments[i]
	if s.Now.Consumer.Stopped || b.consumer[i].Bridge != "" && s.Verdict.Cause != pressure.CauseBridgeFull {
		return 0, false
	}
	next, ok = b.mostBlocked[b.consumer[i]]
	return next, ok
}

// path returns the segments from i on in which each consumer is blocked in the next, and whether
// they come back to one of them.
func (b *builder) path(i int) (path []int, cycle bool) {
	seen := make([]bool, len(b.segments))
	for {
		seen[i], path = true, append(path, i)
		next, ok := b.next(i)
		if !ok {
			return path, false
		}
		if i = next; seen[i] {
			return path, true
		}
	}
}

// consumesSomething reports whether a process has consumed from any segment in the interval.
func (b *builder) consumesSomething(p Process) bool {
	return slices.ContainsFunc(b.consumes[p], func(i int) bool { return b.segments[i].Interval.Consumed > 0 })
}

// last returns the end of the path from segment i.
func (b *builder) last(i int) int {
	path, _ := b.path(i)
	return path[len(path)-1]
}

// heldUp returns who holds up the producer of segment i.
func (b *builder) heldUp(i int) *HeldUp {
	if b.segments[i].cause() == "" {
		return nil
	}
	path, cycle := b.path(i)
	h := &HeldUp{Path: b.names(path), Blocked: b.segments[i].Interval.ProducerBlocked}
	if cycle {
		h.Cause = CauseCycle
		return h
	}
	last := &b.segments[path[len(path)-1]]
	if h.Cause = last.cause(); h.Cause == CauseNoConsumer {
		return h
	}
	if h.Cause == CauseStalled && b.consumesSomething(b.consumer[path[len(path)-1]]) {
		h.Cause = CauseSlower // it has taken from other segments for long
	}
	h.Consumer = processOf(last, layout.Consumer)
	if h.Cause == CauseSlower && h.Consumer.Bridge != "" {
		h.Bridge = new(*last.Verdict)
	}
	if h.Cause == CauseStalled {
		h.NoProgressFor = last.Verdict.NoProgressFor
	}
	return h
}
