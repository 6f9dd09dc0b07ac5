package pressure

import (
	"fmt"
	"time"

	"sluice/layout"
)

// A queue grows when it is deeper by a tenth of what was produced, and by more
// than comes and goes with a packet, or, where the consumer does not sleep, with one
// message and the next.
const (
	growthShare = 0.1
	growthLeast = 64
	fillLeast   = 4
	// backlogLeast is more than gathers while a consumer gets no processor for a moment.
	backlogLeast = 8
)

// growthOf is what the queue does over an interval.
type growthOf struct {
	growing   bool
	left      time.Duration // until it is full or at its limit; a nanosecond without a limit
	unbounded bool
}

// growth looks whether the queue gets deeper all the time: in the interval i and in
// the longer one, whose pace is the forecast's.
func growth(i, long *Interval, after *Snapshot) growthOf {
	if !after.Producer.Alive || after.delivering() || after.LimitReached() || !i.grows(after) || !long.grows(after) {
		return growthOf{}
	}
	left := time.Duration(0)
	bound := func(free uint64, grown int64) {
		if grown <= 0 {
			return
		}
		seconds := min(float64(free)/(float64(grown)/long.Elapsed.Seconds()), 1e9)
		if d := time.Duration(seconds * float64(time.Second)); left == 0 || d < left {
			left = max(d, 1)
		}
	}
	if c := max(after.Geometry.Capacity, after.Limit); c > 0 {
		bound(c-min(after.QueueBytes, c), long.Heavier)
	}
	if n := after.Geometry.Slots; n > 0 {
		bound(n-min(after.Depth(), n), long.Deeper)
	}
	return growthOf{growing: true, left: max(left, 1), unbounded: left == 0}
}

// grows reports whether the queue does, at the cost of the consumer: in a ring,
// whose consumer may sleep between bursts, only when it does not sleep.
func (i *Interval) grows(after *Snapshot) bool {
	if i.Elapsed < tooShort || float64(i.Deeper) < max(growthShare*float64(i.Produced), 1) {
		return false
	}
	busy := i.Deeper >= fillLeast && i.ConsumerBlocked < noticeable
	if after.Geometry.Mode == layout.ModeRing {
		return busy && after.Fill() < nearFull
	}
	return busy || i.Deeper >= growthLeast || i.Consumed == 0
}

// backlog reports whether a queue of that depth is one that the consumer was not done with:
// a notable part of what it took, or any when nothing more came.
//
// How long messages waited tells whether it takes more than comes and goes with a packet or
// a batch. A consumer that spins is not asleep and still has time left: then none waited
// nearly as long as a notable queue takes, which is as notable a part of the interval.
func (i *Interval) backlog(depth uint64) bool {
	least, slow := uint64(growthLeast), true
	if i.Latency.Count > 0 && i.Consumed > 0 {
		least, slow = backlogLeast, float64(i.Latency.Max) >= growthShare/4*float64(i.Elapsed)
	}
	deep := slow && float64(depth) >= max(growthShare*float64(i.Consumed), float64(least))
	return i.Elapsed >= tooShort && (deep || i.Produced == 0 && (i.Consumed > 0 || depth > 0))
}

// shrinks reports whether the consumer takes notably more than comes.
func (i *Interval) shrinks() bool {
	return float64(-i.Deeper) >= max(growthShare*float64(i.Consumed), 1)
}

// verdict is the one on a queue that grows.
func (g growthOf) verdict(i *Interval, after *Snapshot) Verdict {
	v := Verdict{Kind: Growing, Why: i.pace(),
		Advice: "slow the producer down (--rate), speed the consumer up, or use --mode ring, where the producer waits"}
	if after.Geometry.Mode == layout.ModeRing {
		v.Kind, v.Advice = ConsumerBound, "speed up the consumer, or slow the producer down (--rate); more capacity only delays this"
	}
	return v
}

// pace says how fast each side is.
func (i *Interval) pace() string {
	return fmt.Sprintf("the producer sends %s msg/s, the consumer takes %s", rate(float64(i.Produced)/i.Elapsed.Seconds()), rate(i.Throughput))
}

// forecast says how long that can go on.
func (g growthOf) forecast(s *Snapshot) string {
	in := fmt.Sprintf("%.1f s", g.left.Seconds())
	if g.left >= time.Minute {
		in = g.left.Round(time.Second).String()
	}
	switch {
	case g.unbounded:
		return "there is no limit but the machine's memory"
	case s.Geometry.Mode == layout.ModeRing:
		return fmt.Sprintf("at this pace the ring is full in about %s", in)
	}
	return fmt.Sprintf("at this pace the limit of %s is reached in %s", size(s.Limit), in)
}

// limited is the verdict on a transfer that is at its limit.
func limited(i *Interval, after *Snapshot) Verdict {
	if i.Consumed == 0 && after.Apart() {
		v := apart(after)
		v.Why += fmt.Sprintf("; the limit of %s was reached", size(after.Limit))
		return v
	}
	return Verdict{Kind: ConsumerBound, Advice: atLimitAdvice,
		Why: fmt.Sprintf("the limit of %s was reached and the producer could send no more (the command delivers what is queued and ends with exit code 5); %s, the consumer takes %s msg/s",
			size(after.Limit), queued(after), rate(i.Throughput))}
}
