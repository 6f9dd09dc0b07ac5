package pressure

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

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
	Growing       Kind = "growing" // transfer: the queue gets deeper, and memory is its only limit
)

// Verdict says who is slower, the figures that led to it, and what to do.
type Verdict struct {
	Kind    Kind
	Why     string
	Advice  string // empty when there is nothing to do
	Figures bool   // Why only repeats figures of the interval

	// Left is how long the queue can grow as it does before it reaches the limit;
	// 0 when it does not grow or has none.
	Left time.Duration

	// Held is how long the verdict has been this kind, as far as a Trend has seen
	// it; 0 from Judge, which sees one interval.
	Held time.Duration
}

const (
	// noticeable is the share of time asleep from which on a side counts as
	// waiting, and nearFull the fill from which on the queue is the limit.
	noticeable = 0.1
	nearFull   = 0.9
	// stallAfter is how long a consumer may work on one message before it is
	// said to be stalled.
	stallAfter = 5 * time.Second
	// arriving is longer than a consumer needs from taking its role, which makes
	// it alive, to noting its first progress.
	arriving = 100 * time.Millisecond
	// tooShort is an interval that says little.
	tooShort = 10 * time.Millisecond
)

// Judge is the verdict on an interval, given the snapshot at its end.
func Judge(i *Interval, after *Snapshot) Verdict { return judgeAfter("", i, after) }

// judgeAfter is Judge when the verdict has been last until now: it takes less to
// stay with a verdict than to come to it.
func judgeAfter(last Kind, i *Interval, after *Snapshot) Verdict {
	growing, left := grows(i, after)
	v := judge(last, i, after, growing)
	if growing {
		v.Left = left
		v.Why += "; " + forecast(after, left)
	}
	return v
}

func judge(last Kind, i *Interval, after *Snapshot, growing bool) Verdict {
	switch {
	case !after.Consumer.Alive && after.Consumer.State != layout.StateClosed && i.Consumed == 0,
		!after.Consumer.Alive && after.Depth() > 0:
		return noConsumer(after)
	case !after.Producer.Alive && i.Produced == 0 && !(after.Producer.State == layout.StateClosed && i.Consumed > 0):
		return Verdict{Kind: NoProducer, Why: "no producer lives; " + left(after), Advice: "start one, or stop the consumer"}
	case growing:
		takes := fmt.Sprintf("takes %.0f", i.Throughput)
		if i.Consumed == 0 && after.idle() > stallAfter {
			takes = fmt.Sprintf("(pid %d) has taken nothing for %.0f s", after.Consumer.PID, after.idle().Seconds())
		}
		return Verdict{Kind: Growing,
			Why:    fmt.Sprintf("the producer gives %.0f msg/s, the consumer %s", float64(i.Produced)/i.Elapsed.Seconds(), takes),
			Advice: "slow the producer down (--rate), speed the consumer up, or use --mode ring, where the producer waits"}
	case i.ConsumerStayed && i.Elapsed > arriving && i.Consumed == 0 && after.Depth() > 0 && after.idle() > stallAfter:
		return Verdict{Kind: Stalled,
			Why:    fmt.Sprintf("the consumer (pid %d) lives and has taken nothing for %.0f s", after.Consumer.PID, after.idle().Seconds()),
			Advice: "look at what the consumer does: its --work, its output, a debugger"}
	case i.Produced == 0 && i.Consumed == 0 && after.Depth() == 0:
		if i.asleep(i.ProducerBlocked) && after.Producer.Alive {
			return stopped(ProducerBound, "producer", after.Producer.PID, "an empty queue")
		}
		return Verdict{Kind: Idle, Why: "the queue is empty and nothing is produced"}
	}
	return bound(last, i, after)
}

// A queue grows when it is deeper by a tenth of what was produced, and by more
// than comes and goes with a packet.
const (
	growthShare = 0.1
	growthLeast = 64
)

// grows reports whether a transfer's queue does, and how long that can go on.
func grows(i *Interval, after *Snapshot) (growing bool, left time.Duration) {
	if after.Geometry.Mode != layout.ModeTransfer || !after.Producer.Alive || i.Elapsed < tooShort ||
		float64(i.Deeper) < max(growthShare*float64(i.Produced), 1) || i.Deeper < growthLeast && i.Consumed > 0 {
		return false, 0
	}
	if after.Limit > 0 && i.Heavier > 0 {
		free := float64(after.Limit - min(after.QueueBytes, after.Limit))
		seconds := free / (float64(i.Heavier) / i.Elapsed.Seconds())
		left = time.Duration(min(seconds, 1e9) * float64(time.Second))
	}
	return true, max(left, time.Nanosecond)
}

func forecast(s *Snapshot, left time.Duration) string {
	switch {
	case s.Limit == 0:
		return "there is no limit but the machine's memory"
	case left < time.Minute:
		return fmt.Sprintf("at this pace the limit of %s is reached in %.1f s", humanize.IBytes(s.Limit), left.Seconds())
	}
	return fmt.Sprintf("at this pace the limit of %s is reached in %v", humanize.IBytes(s.Limit), left.Round(time.Second))
}

// bound compares how much each side slept, and where that says nothing, how
// full the queue is.
func bound(last Kind, i *Interval, after *Snapshot) Verdict {
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	full := after.Fill() >= nearFull
	if full && i.Consumed == 0 && i.asleep(c) && after.Consumer.Alive {
		return stopped(ConsumerBound, "consumer", after.Consumer.PID, "a full queue")
	}
	why := fmt.Sprintf("blocked: producer %.0f %%, consumer %.0f %% of the time; queue %.0f %% full", 100*p, 100*c, 100*after.Fill())
	v := Verdict{Kind: Balanced, Why: why, Figures: true}
	switch {
	// A full ring may be a burst's; a transfer's queue at its limit never is.
	case prevails(p, c, last == ConsumerBound), full && (c < noticeable || after.Geometry.Mode == layout.ModeTransfer):
		v.Kind, v.Advice = ConsumerBound, "speed up the consumer; more capacity only delays this"
	case after.Geometry.Mode == layout.ModeTransfer && c < noticeable && after.Depth() >= growthLeast:
		v.Kind, v.Advice = ConsumerBound, "the queue does not grow, and the consumer has no time to spare"
	case prevails(c, p, last == ProducerBound):
		v.Kind, v.Advice = ProducerBound, "the consumer has time left; nothing to do unless more should arrive"
	case i.Elapsed < tooShort:
		v.Why = "too short a time to tell"
	}
	if need := bursts(i, after); need != "" {
		v.Figures = false
		v.Why = fmt.Sprintf("bursts: full for %v of %v; the consumer sleeps %.0f %% of the time",
			part(p, i.Elapsed), part(1, i.Elapsed), 100*c)
		v.Advice = need + " would absorb them"
	}
	return v
}

// asleep reports whether a side slept all the time of an interval that is longer
// than it takes to wake up.
func (i *Interval) asleep(blocked float64) bool {
	return blocked >= nearFull && i.Elapsed > arriving
}

// stopped is the verdict on a side that sleeps although it has something to do: its
// blocked time says that it waits for the other, and it does not.
func stopped(kind Kind, side string, pid int, beside string) Verdict {
	return Verdict{Kind: kind,
		Why:    fmt.Sprintf("the %s (pid %d) sleeps beside %s: it was stopped in its sleep", side, pid, beside),
		Advice: "let it go on (kill -CONT), or look at what holds it"}
}

// prevails reports whether a side that slept the share more of the time waits for
// the other, which slept less.
func prevails(more, less float64, already bool) bool {
	if already {
		return more >= noticeable/2 && more >= 1.5*less
	}
	return more >= noticeable && more >= 2*less
}

func noConsumer(s *Snapshot) Verdict {
	why, advice := "no consumer lives; "+left(s), "start a consumer"
	if s.Depth() > 0 && (s.Producer.Alive || s.Geometry.Mode == layout.ModeRing) {
		advice += ": what is in the queue waits for it"
	}
	if s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive {
		why = "no consumer; the producer goes on; " + left(s)
	}
	if s.Producer.Alive && s.Producer.State == layout.StateAlone {
		why = "no consumer; the producer is blocked; " + left(s)
	}
	return Verdict{Kind: NoConsumer, Why: why, Advice: advice}
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

// idle is how long the consumer has shown no progress. It may have done so after
// this snapshot's clock was read.
func (s *Snapshot) idle() time.Duration {
	return time.Duration(max(0, int64(s.At-s.Consumer.Progress)))
}
