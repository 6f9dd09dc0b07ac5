package pressure

import "time"

// Interval is what happened between two snapshots of one segment.
type Interval struct {
	Elapsed            time.Duration
	Produced, Consumed uint64 // messages
	ProducedBytes      uint64 // payload
	ConsumedBytes      uint64
	Throughput         float64 // messages consumed a second
	DepthGrowth        int64   // messages by which the queue has grown; negative when it has shrunk
	BytesGrowth        int64   // bytes, likewise
	DepthBefore        uint64  // messages in the queue at the start
	Lost               uint64  // messages
	Refused            uint64  // sends
	Deepest            uint64  // the most messages that the queue has held, as far as is known

	// Scheduled: messages were due at a time, as a schedule or the producer itself has said.
	Scheduled bool

	// What became of the messages that were offered:
	// Offered = Produced + Dropped + RefusedMessages + UnsentGrowth.
	Offered         uint64
	Dropped         uint64
	RefusedMessages uint64
	Unsent          uint64 // due and not sent at the end
	UnsentGrowth    int64  // negative when a backlog was sent
	NotSent         uint64 // messages that were found not to be sent any more: their schedule has ended

	// ProducerBlocked and ConsumerBlocked are the shares of the time that each
	// side was blocked, from 0 to 1; ProducerWaits and ConsumerWaits how often.
	ProducerBlocked, ConsumerBlocked float64
	ProducerWaits, ConsumerWaits     uint64

	// ConsumerStayed: the same consumer was alive at both ends.
	ConsumerStayed bool

	// ConsumerNotFound: at both ends the live producer of a transfer did not find its live
	// consumer.
	ConsumerNotFound bool

	// Stopped: a Trend has seen that a side's process did not run in this time, so that the
	// shares of the sides mean nothing.
	Stopped bool

	Latency, Response, Lateness Histogram

	wholeElapsed time.Duration // what Elapsed is a part of; 0 = of nothing longer
}

// Between returns what happened from before to after, two snapshots of one segment.
func Between(before, after *Snapshot) Interval {
	i := countsBetween(before, after)
	i.Latency, i.Response, i.Lateness = after.Latency.Since(&before.Latency), after.Response.Since(&before.Response), after.Lateness.Since(&before.Lateness)
	i.Scheduled = i.Scheduled || i.Response.Count > 0
	return i
}

// countsBetween is Between without the times of the messages, which take most of the time of it.
func countsBetween(before, after *Snapshot) Interval {
	i := Interval{
		Elapsed:          time.Duration(after.At - before.At),
		Produced:         grown(before.Produced, after.Produced),
		Consumed:         grown(before.Consumed, after.Consumed),
		ProducedBytes:    grown(before.ProducedBytes, after.ProducedBytes),
		ConsumedBytes:    grown(before.ConsumedBytes, after.ConsumedBytes),
		DepthGrowth:      int64(after.Depth() - before.Depth()),
		BytesGrowth:      int64(after.QueueBytes - before.QueueBytes),
		DepthBefore:      before.Depth(),
		Offered:          grown(before.Offered(), after.Offered()),
		Dropped:          grown(before.Dropped, after.Dropped),
		RefusedMessages:  grown(before.RefusedMessages, after.RefusedMessages),
		Unsent:           after.Unsent,
		UnsentGrowth:     int64(after.Unsent - before.Unsent),
		NotSent:          grown(before.NotSent(), after.NotSent()),
		Lost:             grown(before.Lost, after.Lost),
		Refused:          grown(before.Refused, after.Refused),
		Deepest:          max(before.Depth(), after.Depth()),
		ProducerWaits:    grown(before.Producer.Waits, after.Producer.Waits),
		ConsumerWaits:    grown(before.Consumer.Waits, after.Consumer.Waits),
		ConsumerStayed:   before.Consumer.Alive && after.Consumer.Alive && before.Consumer.Generation == after.Consumer.Generation,
		ConsumerNotFound: before.consumerNotFound() && after.consumerNotFound(),
		Scheduled:        before.Schedule.InForce || after.Schedule.InForce || before.Schedule.Base != after.Schedule.Base,
	}
	if after.HighWater > before.HighWater { // reached in this time
		i.Deepest = max(i.Deepest, after.HighWater)
	} else { // not passed in it
		i.Deepest = max(i.Deepest, min(after.HighWater, i.DepthBefore+i.Produced))
	}
	if i.Elapsed > 0 {
		i.Throughput = float64(i.Consumed) / i.Elapsed.Seconds()
		i.ProducerBlocked = share(after.Producer.Blocked-before.Producer.Blocked, i.Elapsed)
		i.ConsumerBlocked = share(after.Consumer.Blocked-before.Consumer.Blocked, i.Elapsed)
	}
	return i
}

// grown returns the growth of a counter, 0 when it has fallen: a successor may set one back by
// what its predecessor had counted and not published when it died.
func grown(before, after uint64) uint64 { return after - min(before, after) }

func share(part, whole time.Duration) float64 {
	return min(1, max(0, float64(part)/float64(whole)))
}
