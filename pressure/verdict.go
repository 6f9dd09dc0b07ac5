package pressure

import (
	"fmt"
	"time"

	"sluice/layout"
)

// Kind is a verdict in a word.
type Kind string

// The verdicts.
const (
	ConsumerBound Kind = "consumer-bound" // the producer waits for the consumer
	ProducerBound Kind = "producer-bound" // the consumer waits for the producer
	Balanced      Kind = "balanced"       // neither waits much, or both do
	Idle          Kind = "idle"           // nothing to move
	NoConsumer    Kind = "no-consumer"
	NoProducer    Kind = "no-producer"
	Stalled       Kind = "stalled" // a live consumer, messages to take, and no progress
)

// Verdict says who is slower, the figures that led to it, and what to do.
type Verdict struct {
	Kind   Kind
	Why    string
	Advice string // empty when there is nothing to do
}

const (
	// noticeable is the share of time asleep from which on a side counts as
	// waiting, and nearFull the fill from which on the queue is the limit.
	noticeable = 0.1
	nearFull   = 0.9
	// stallAfter is how long a consumer may work on one message before it is
	// said to be stalled.
	stallAfter = 5 * time.Second
	// tooShort is an interval that says little.
	tooShort = 10 * time.Millisecond
)

// Judge is the verdict on a ring, given an interval and the snapshot at its end.
func Judge(i *Interval, after *Snapshot) Verdict {
	switch {
	case !after.Consumer.Alive && after.Consumer.State != layout.StateClosed && i.Consumed == 0,
		!after.Consumer.Alive && after.Depth() > 0:
		return noConsumer(after)
	case !after.Producer.Alive && i.Produced == 0 && !(after.Producer.State == layout.StateClosed && i.Consumed > 0):
		return Verdict{NoProducer, "no producer lives; " + left(after), "start one, or stop the consumer"}
	case i.ConsumerStayed && i.Consumed == 0 && after.Depth() > 0 && after.At-after.Consumer.Progress > uint64(stallAfter):
		return Verdict{Stalled, fmt.Sprintf("the consumer (pid %d) lives and has taken nothing for %.0f s", after.Consumer.PID, sec(after.At-after.Consumer.Progress)),
			"look at what the consumer does: its --work, its output, a debugger"}
	case i.Produced == 0 && i.Consumed == 0 && after.Depth() == 0:
		return Verdict{Idle, "the queue is empty and nothing is produced", ""}
	}
	return bound(i, after)
}

// bound compares how much each side slept, and where that says nothing, how
// full the queue is.
func bound(i *Interval, after *Snapshot) Verdict {
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	full := after.Fill() >= nearFull
	why := fmt.Sprintf("producer blocked %.0f %% of the time, consumer %.0f %%; queue %.0f %% full now", 100*p, 100*c, 100*after.Fill())
	switch {
	case p >= noticeable && p >= 2*c, full && c < noticeable:
		return Verdict{ConsumerBound, why, "speed up the consumer; more capacity only delays this"}
	case c >= noticeable && c >= 2*p:
		return Verdict{ProducerBound, why, "the consumer has time left; nothing to do unless more should arrive"}
	case p >= noticeable && c >= noticeable:
		return Verdict{Balanced, why, "both sides sleep in turn: more capacity, or slots, lets them overlap"}
	}
	if i.Elapsed < tooShort {
		why = "too short a time to tell"
	}
	return Verdict{Balanced, why, ""}
}

func noConsumer(s *Snapshot) Verdict {
	why, advice := "no consumer lives; "+left(s), "start a consumer"
	if s.Depth() > 0 {
		advice += ": what is in the queue waits for it"
	}
	if s.Producer.Alive && s.Producer.State == layout.StateAlone {
		why = "no consumer; the producer is blocked; " + left(s)
	}
	return Verdict{NoConsumer, why, advice}
}

func left(s *Snapshot) string {
	switch n := s.Depth(); n {
	case 0:
		return "the queue is empty"
	case 1:
		return "1 message is queued"
	default:
		return fmt.Sprintf("%d messages are queued", n)
	}
}

func sec(ns uint64) float64 { return time.Duration(ns).Seconds() }
