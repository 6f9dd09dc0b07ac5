package pressure

import (
	"time"
)

// Noticeable is the share of the time asleep from which on a side counts as waiting.
const Noticeable = 0.1

const (
	// nearFull is the fill from which on the producer is limited by the queue.
	nearFull = 0.9
	// attachTime is longer than a consumer needs from taking its role, which makes it alive,
	// to recording its first progress.
	attachTime = 100 * time.Millisecond
	// minInterval is the shortest interval that tells something.
	minInterval = 10 * time.Millisecond
)

// Judge returns the verdict on an interval, given the snapshot at its end.
func Judge(i *Interval, after *Snapshot) Verdict { return judge("", i, i, after) }

// judge is Judge when the verdict has been of kind last so far: it takes less to keep a
// verdict than to reach it. long is a longer interval with the same end, which tells growth
// from a queue that fills and empties.
func judge(last Kind, i, long *Interval, after *Snapshot) Verdict {
	g := forecastGrowth(i, long, after)
	v := judgeGrown(g, last, i, after, true)
	v.Grows, v.FullIn = g.growing, g.fullIn
	return v
}

// judgeGrown returns the verdict on an interval in which the queue grew as g says. Whether
// both sides are there and run comes before how fast they are. With depth false, how deep the
// queue is at the end is no evidence.
func judgeGrown(g forecast, last Kind, i *Interval, after *Snapshot, depth bool) Verdict {
	v := judgeSides(g, last, i, after, depth)
	v.withBridges(i, after)
	return v
}

// judgeSides is judgeGrown for sides that may be anything.
func judgeSides(g forecast, last Kind, i *Interval, after *Snapshot, depth bool) Verdict {
	for _, missing := range []func(*Interval, *Snapshot) (Verdict, bool){consumerless, stopped, unconnected, heldByBridge, stalled} {
		if v, ok := missing(i, after); ok {
			return v
		}
	}
	if v, ok := producerless(i, after); ok {
		v.Lost, v.NotSent = after.Lost, after.NotSent()
		return v
	}
	switch {
	case after.LimitReached():
		return limited(i, after)
	case i.Dropped > 0:
		return overflowed(i, after)
	case g.growing:
		return g.verdict(i, after)
	case i.idle(after):
		return conclude(Idle, "", i, after)
	}
	v := bound(last, i, after, depth)
	v.withLateConsumer(i)
	return v
}

// withLateConsumer changes the verdict v on two sides that both waited, if the consumer was not
// there all the time: then the producer may have waited for one to come, and not for a slow one.
func (v *Verdict) withLateConsumer(i *Interval) {
	if i.ConsumerStayed || i.ProducerBlocked < Noticeable || i.ConsumerBlocked < Noticeable {
		return
	}
	if v.Kind == ConsumerBound {
		v.Kind = Balanced
	}
	v.Cause, v.Missed, v.Advice = CauseLate, 0, advise(AdviceKeepConsumer)
}

// conclude returns a verdict with the figures that are always set.
func conclude(k Kind, c Cause, i *Interval, after *Snapshot, advice ...AdviceKind) Verdict {
	return Verdict{Kind: k, Cause: c, Advice: advise(advice...), Figures: figures(i, after)}
}

// idle reports whether nothing was produced, consumed or queued.
func (i *Interval) idle(after *Snapshot) bool {
	return i.Produced == 0 && i.Consumed == 0 && after.Depth() == 0
}

// overflowed returns the verdict on a producer that dropped messages because the queue was full.
func overflowed(i *Interval, after *Snapshot) Verdict {
	v := conclude(ConsumerBound, CauseOverflow, i, after, AdviceSpeedUpConsumer, AdviceKeepCapacity)
	v.Dropped, v.Offered = i.Dropped, i.Dropped+i.Produced
	switch {
	case i.ConsumerBlocked < Noticeable:
	case i.ConsumerStayed:
		v.Advice = advise(AdviceMoreCapacity)
	default: // a consumer that was not there did not sleep either
		v.Advice = advise(AdviceKeepConsumer, AdviceMoreCapacity)
	}
	return v
}

// bound returns the verdict from how much each side waited and, where that tells nothing and with
// depth, from how full the queue is.
func bound(last Kind, i *Interval, after *Snapshot, depth bool) Verdict {
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	elastic := after.elastic()
	v := conclude(Balanced, CauseWaits, i, after)
	slower := func(cause Cause) {
		v.Kind, v.Cause, v.Advice = ConsumerBound, cause, advise(AdviceSpeedUpConsumer, AdviceKeepCapacity)
		if c >= Noticeable && !elastic {
			v.Advice = advise(AdviceSpeedUpConsumer, AdviceMoreCapacity)
		} else if v.WaitingGrows {
			v.Advice = advise(AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceKeepCapacity)
		}
	}
	switch {
	case waitsForOther(p, c, last == ConsumerBound):
		slower(CauseWaits)
	// A queue that holds the producer back may be full because of a burst, an elastic one is not.
	case depth && after.Fill() >= nearFull && i.Elapsed >= attachTime && (c < Noticeable || elastic):
		slower(CauseFull)
	case depth && c < Noticeable && i.backlog(after.Depth()) && !v.WaitingGrows:
		v.Kind, v.Cause = ConsumerBound, CauseBacklog
	case waitsForOther(c, p, last == ProducerBound):
		v.Kind = ProducerBound
	case i.Elapsed < minInterval:
		v.Cause = CauseTooShort
	}
	if bursts(i, after) {
		v.Cause = CauseBursts
		v.Missed, _ = missed(i, after)
		v.Advice = []Advice{{Kind: AdviceMoreCapacity, Messages: v.Missed}}
	}
	v.behindSchedule(i)
	return v
}

// waitsForOther reports whether a side that waited for the share more of the time waits for the
// other, which waited for the share less. already: it did so far, which takes less.
func waitsForOther(more, less float64, already bool) bool {
	if already {
		return more >= Noticeable/2 && more >= 1.5*less
	}
	return more >= Noticeable && more >= 2*less
}
