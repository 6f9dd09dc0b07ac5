package pressure

import (
	"time"
)

// A queue grows when it has become deeper by a tenth of what was produced, and by more than a
// packet holds, or, if the consumer does not sleep, by more than a few messages.
const (
	growthShare   = 0.1
	minGrowth     = 64
	minRingGrowth = 4
	// minBacklog is more messages than gather while the consumer is not scheduled for a moment.
	minBacklog = 8
)

// forecast is whether the queue grows over an interval, and how long it can.
type forecast struct {
	growing bool
	fullIn  time.Duration // until it is full or at its limit, at least 1; 0 without a bound
}

// forecastGrowth reports whether the queue gets deeper all the time: in the interval i and in the
// longer one, whose rate the forecast is made with.
func forecastGrowth(i, long *Interval, after *Snapshot) forecast {
	if !after.Producer.Alive || after.delivering() || after.LimitReached() || !i.grows(after) || !long.grows(after) {
		return forecast{}
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
		bound(c-min(after.QueueBytes, c), long.BytesGrowth)
	}
	if n := after.Geometry.Slots; n > 0 {
		bound(n-min(after.Depth(), n), long.DepthGrowth)
	}
	return forecast{growing: true, fullIn: left}
}

// grows reports whether the queue grows because the consumer is slower: one that holds the producer
// back, whose consumer may sleep between bursts, only when neither of them sleeps.
func (i *Interval) grows(after *Snapshot) bool {
	if i.Elapsed < minInterval || float64(i.DepthGrowth) < max(growthShare*float64(i.Produced), 1) {
		return false
	}
	busy := i.DepthGrowth >= minRingGrowth && i.ConsumerBlocked < Noticeable
	if !after.elastic() {
		return busy && i.ProducerBlocked < Noticeable && after.Fill() < nearFull
	}
	return busy || i.DepthGrowth >= minGrowth || i.Consumed == 0
}

// backlog reports whether a queue of that depth is one that the consumer could not keep up with: a
// notable part of what it received, or any when nothing more was produced.
//
// How long messages waited tells a backlog from the messages of a packet or a batch, which come and
// go. A consumer that spins does not sleep and may still be the faster side: then no message waits
// nearly as long as in a notable queue, which is as notable a part of the interval.
func (i *Interval) backlog(depth uint64) bool {
	least, slow := uint64(minGrowth), true
	if i.Latency.Count > 0 && i.Consumed > 0 {
		least, slow = minBacklog, float64(i.Latency.Max) >= growthShare/4*float64(i.Elapsed)
	}
	deep := slow && float64(depth) >= max(growthShare*float64(i.Consumed), float64(least))
	return i.Elapsed >= minInterval && (deep || i.Produced == 0 && (i.Consumed > 0 || depth > 0))
}

// shrinks reports whether the consumer receives notably more than is produced.
func (i *Interval) shrinks() bool {
	return float64(-i.DepthGrowth) >= max(growthShare*float64(i.Consumed), 1)
}

// verdict returns the verdict on a queue that grows.
func (g forecast) verdict(i *Interval, after *Snapshot) Verdict {
	if !after.elastic() {
		return conclude(ConsumerBound, CauseFills, i, after, AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceKeepCapacity)
	}
	return conclude(Growing, CauseFills, i, after, AdviceSlowProducer, AdviceSpeedUpConsumer, AdviceRingMode)
}
