package pressure

import "time"

// Interval is what happened between two snapshots of one segment.
type Interval struct {
	Elapsed            time.Duration
	Produced, Consumed uint64 // messages
	ProducedBytes      uint64 // payload
	ConsumedBytes      uint64
	Throughput         float64 // messages consumed a second

	// ProducerBlocked and ConsumerBlocked are the shares of the time that each
	// side slept, from 0 to 1; ProducerWaits and ConsumerWaits how often.
	ProducerBlocked, ConsumerBlocked float64
	ProducerWaits, ConsumerWaits     uint64

	// ConsumerStayed: one and the same consumer lived at both ends.
	ConsumerStayed bool

	Latency Histogram
}

// Between returns what happened from before to after.
func Between(before, after *Snapshot) Interval {
	i := Interval{
		Elapsed:        time.Duration(after.At - before.At),
		Produced:       after.Produced - before.Produced,
		Consumed:       after.Consumed - before.Consumed,
		ProducedBytes:  after.ProducedBytes - before.ProducedBytes,
		ConsumedBytes:  after.ConsumedBytes - before.ConsumedBytes,
		ProducerWaits:  after.Producer.Waits - before.Producer.Waits,
		ConsumerWaits:  after.Consumer.Waits - before.Consumer.Waits,
		ConsumerStayed: before.Consumer.Alive && after.Consumer.Alive && before.Consumer.Holders == after.Consumer.Holders,
		Latency:        after.Latency.Since(&before.Latency),
	}
	if i.Elapsed > 0 {
		i.Throughput = float64(i.Consumed) / i.Elapsed.Seconds()
		i.ProducerBlocked = share(after.Producer.Blocked-before.Producer.Blocked, i.Elapsed)
		i.ConsumerBlocked = share(after.Consumer.Blocked-before.Consumer.Blocked, i.Elapsed)
	}
	return i
}

func share(part, whole time.Duration) float64 {
	return min(1, max(0, float64(part)/float64(whole)))
}
