package pressure

import (
	"cmp"
	"fmt"
	"time"

	"sluice/layout"
)

// Kind is a verdict in a word.
type Kind string

// The verdicts.
const (
	ConsumerBound Kind = "consumer-bound" // the consumer is slower: the producer waits, or the queue fills, overflows or is at its limit
	ProducerBound Kind = "producer-bound" // the consumer waits for the producer
	Balanced      Kind = "balanced"       // neither waits much, or both do
	Idle          Kind = "idle"           // nothing to move
	NoConsumer    Kind = "no-consumer"
	NoProducer    Kind = "no-producer"
	Unconnected   Kind = "unconnected" // transfer: both sides live, and look for each other in different places
	Stopped       Kind = "stopped"     // a side's process is stopped (SIGSTOP, Ctrl-Z)
	Stalled       Kind = "stalled"     // a live consumer, messages to take, and no progress
	Growing       Kind = "growing"     // transfer: the queue gets deeper, and memory is its only limit
)

// Verdict says who is slower, the figures that led to it, and what to do.
type Verdict struct {
	Kind    Kind
	Why     string
	Advice  string // empty when there is nothing to do
	Figures bool   // Why only repeats figures of the interval

	// Left is how long the queue can grow as it does before it is full or at its
	// limit; 0 when it does not grow. It is a nanosecond when it grows without a limit.
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
func Judge(i *Interval, after *Snapshot) Verdict { return judge("", i, i, after) }

// judge is Judge when the verdict has been last until now: it takes less to
// stay with a verdict than to come to it. long is a longer interval with the same
// end, in which growth is told from a queue that comes and goes.
func judge(last Kind, i, long *Interval, after *Snapshot) Verdict {
	g := growth(i, long, after)
	v := g.or(last, i, after)
	if g.growing {
		v.Left = g.left
		if v.Kind != Unconnected { // which is to be said in few words, with two paths
			v.Why += "; " + g.forecast(after)
		}
	}
	return v
}

// or is the verdict on an interval in which the queue grew as g says.
func (g growthOf) or(last Kind, i *Interval, after *Snapshot) Verdict {
	if v, ok := consumerless(i, after); ok {
		return v
	}
	if v, ok := stopped(i, after); ok {
		return v
	}
	if v, ok := unconnected(i, after); ok {
		return v
	}
	if v, ok := stalled(i, after); ok {
		return v
	}
	if v, ok := producerless(i, after); ok {
		v.Why += lost(after.Lost)
		return v
	}
	switch {
	case after.LimitReached():
		return limited(i, after)
	case i.Dropped > 0:
		return dropped(i, after)
	case g.growing:
		return g.verdict(i, after)
	case i.Produced == 0 && i.Consumed == 0 && after.Depth() == 0:
		return idle
	}
	return bound(last, i, after)
}

const atLimitAdvice = "speed the consumer up, slow the producer down (--rate), allow more (--limit), or use --mode ring, where the producer waits"

// speedUp is the advice where the consumer is slower for good.
func speedUp(s *Snapshot) string {
	room := "capacity"
	if s.Geometry.Mode == layout.ModeTransfer {
		room = "room (--limit)"
	}
	return "speed up the consumer; more " + room + " only delays this"
}

var idle = Verdict{Kind: Idle, Why: "the queue is empty and nothing is produced"}

// stalled is the verdict on a consumer that is there, and has something to take.
func stalled(i *Interval, after *Snapshot) (Verdict, bool) {
	idle := after.age(&after.Consumer)
	if !i.ConsumerStayed || i.Elapsed <= arriving || i.Consumed > 0 || after.Depth() == 0 || idle <= stallAfter {
		return Verdict{}, false
	}
	v := Verdict{Kind: Stalled,
		Why:    fmt.Sprintf("the consumer%s lives and has taken nothing for %.0f s%s", pid(&after.Consumer), idle.Seconds(), fate(after)),
		Advice: "look at what the consumer does: its --work, its output, a debugger"}
	if after.LimitReached() {
		v.Why += fmt.Sprintf("; the limit of %s was reached", size(after.Limit))
	}
	if i.Dropped > 0 {
		v.Why += "; " + dropped(i, after).Why
	}
	return v, true
}

// absent is the verdict when a side that is needed is not there.
func absent(i *Interval, after *Snapshot) (Verdict, bool) {
	if v, ok := consumerless(i, after); ok {
		return v, ok
	}
	return producerless(i, after)
}

// consumerless is the verdict when there is no consumer where one is needed.
func consumerless(i *Interval, after *Snapshot) (Verdict, bool) {
	p, c := &after.Producer, &after.Consumer
	switch {
	case !c.Alive && !p.Alive && after.Geometry.Mode == layout.ModeTransfer && after.Depth() > 0:
		// A listening socket that outlives the consumers holds what was sent to it.
		return Verdict{Kind: NoProducer, Advice: "start a producer",
			Why: fmt.Sprintf("no producer and no consumer lives; %s lost with the producer, but for those that a socket unit (systemd) may hold for the next consumer", were(after.Depth()))}, true
	case !c.Alive && c.State != layout.StateClosed && i.Consumed == 0, !c.Alive && after.Depth() > 0:
		return noConsumer(after), true
	case !c.Alive && i.Consumed == 0 && after.delivering() && c.EndSeen != p.Generation: // the last one has left before the end
		return noConsumer(after), true
	}
	return Verdict{}, false
}

// producerless is the verdict when there is no producer where one is needed: not for what
// one that has ended has left.
func producerless(i *Interval, after *Snapshot) (Verdict, bool) {
	p := &after.Producer
	left := p.State == layout.StateClosed && (i.Consumed > 0 || after.Geometry.Mode == layout.ModeRing && after.Depth() > 0)
	if p.Alive || i.Produced > 0 || left {
		return Verdict{}, false
	}
	return noProducer(after), true
}

func noProducer(s *Snapshot) Verdict {
	v := Verdict{Kind: NoProducer, Why: "no producer lives" + fate(s) + "; " + queued(s), Advice: "start one, or stop the consumer"}
	if !s.Consumer.Alive {
		v.Advice = "start one"
	}
	if s.Geometry.Mode == layout.ModeTransfer && s.Depth() > 0 {
		// What is in the socket or in the consumer's hands still comes.
		v.Why = fmt.Sprintf("no producer lives%s; of %s that were queued, those that it had not handed over are lost", fate(s), messages(s.Depth()))
	}
	return v
}

// fate says how the last producer ended; "" when there was none.
func fate(s *Snapshot) string {
	p := &s.Producer
	switch {
	case p.Alive || p.Generation == 0:
		return ""
	case p.State != layout.StateClosed:
		return "; the last producer died"
	case p.End == layout.EndStopped:
		return "; the last producer was stopped before the end of its stream"
	case p.End == layout.EndFailed:
		return "; the last producer failed before the end of its stream"
	}
	return "; the last producer has ended"
}

func noConsumer(s *Snapshot) Verdict {
	v := Verdict{Kind: NoConsumer, Why: "no consumer lives; " + queued(s), Advice: "start a consumer"}
	switch {
	case s.LimitReached():
		v.Why = fmt.Sprintf("no consumer lives, and the limit of %s is reached: the producer can send no more; %s", size(s.Limit), queued(s))
	case s.delivering() && s.Depth() == 0 && s.Producer.End == layout.EndComplete:
		v.Why = "no consumer lives; the producer has sent everything and waits for one to tell it the end"
	case s.delivering():
		v.Why = "no consumer lives; the producer sends no more and waits for one; " + queued(s)
	case s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive:
		v.Why = "no consumer lives; the producer goes on and queues; " + queued(s)
	case s.Producer.Alive && s.Producer.State == layout.StateAlone:
		v.Why = "no consumer lives; the producer is blocked; " + queued(s)
	}
	if s.Depth() > 0 {
		v.Advice += ": what is in the queue waits for it"
	}
	return v
}

// dropped is the verdict on a producer that dropped messages rather than wait.
func dropped(i *Interval, after *Snapshot) Verdict {
	v := Verdict{Kind: ConsumerBound,
		Why:    fmt.Sprintf("%s of %s dropped because the ring was full", count(i.Dropped), messages(i.Dropped+i.Produced)),
		Advice: speedUp(after)}
	if i.ConsumerBlocked >= noticeable {
		v.Why += fmt.Sprintf("; the consumer slept %.0f %% of the time", 100*i.ConsumerBlocked)
		v.Advice = "the messages come in bursts: more room (--capacity, --slots) loses fewer"
		if !i.ConsumerStayed { // who was not there has not slept either
			v.Why += ", but it was not always there"
			v.Advice = "keep a consumer running, and start it first; more room (--capacity, --slots) holds what comes meanwhile"
		}
	}
	return v
}

// bound compares how much each side slept, and where that says nothing, how
// full the queue is.
func bound(last Kind, i *Interval, after *Snapshot) Verdict {
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	full := after.Fill() >= nearFull
	why := fmt.Sprintf("blocked: producer %.0f %%, consumer %.0f %% %s; queue %.0f %% full", 100*p, 100*c, cmp.Or(i.when, "of the time"), 100*after.Fill())
	v := Verdict{Kind: Balanced, Why: why, Figures: i.when == ""}
	switch {
	// A full ring may be a burst's; a transfer's queue at its limit never is.
	case prevails(p, c, last == ConsumerBound), full && i.Elapsed >= arriving && (c < noticeable || after.Geometry.Mode == layout.ModeTransfer):
		v.Kind, v.Advice = ConsumerBound, speedUp(after)
		if c >= noticeable && after.Geometry.Mode == layout.ModeRing {
			v.Advice = "speed up the consumer, or let more wait for it (--capacity, --slots): it sleeps at times"
		}
	case c < noticeable && i.backlog(after.Depth()):
		v.Kind, v.Advice = ConsumerBound, "the queue does not grow, and the consumer has no time to spare"
		if i.shrinks() {
			v.Advice = "the queue gets shorter; nothing to do unless its messages are too old"
		}
	case prevails(c, p, last == ProducerBound):
		v.Kind, v.Advice = ProducerBound, "the consumer has time left; nothing to do unless more should arrive"
	case i.Elapsed < tooShort:
		v.Why = "too short a time to tell"
	}
	if why := bursts(i, after); why != "" {
		v.Figures = false
		v.Why = why
		v.Advice = "more room (--capacity, --slots) keeps the producer from waiting in bursts"
	}
	return v
}

// prevails reports whether a side that slept the share more of the time waits for
// the other, which slept less.
func prevails(more, less float64, already bool) bool {
	if already {
		return more >= noticeable/2 && more >= 1.5*less
	}
	return more >= noticeable && more >= 2*less
}

// age is how long a side has shown no progress, 0 when that cannot be known. It may
// have shown some after this snapshot's clock was read.
func (s *Snapshot) age(side *RoleStats) time.Duration {
	if side.OtherClock {
		return 0
	}
	return time.Duration(max(0, int64(s.At-side.Progress)))
}
