package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/layout"
	"sluice/pressure"
)

// both is the mode of a figure that every segment has.
const both layout.Mode = 0

// figure is a metric of a segment, apart from its latencies.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	mode  layout.Mode
	value func(s *pressure.Snapshot) float64
}

var labels = []string{"name", "mode"}

// gauge is a figure that goes up and down. Units are messages, bytes and seconds.
func gauge(mode layout.Mode, name, help string, value func(s *pressure.Snapshot) float64) figure {
	return figure{prometheus.NewDesc("sluice_"+name, help, labels, nil), prometheus.GaugeValue, mode, value}
}

// counter is a total since the segment was created, whoever held the roles.
func counter(mode layout.Mode, name, help string, value func(s *pressure.Snapshot) float64) figure {
	f := gauge(mode, name+"_total", help, value)
	f.kind = prometheus.CounterValue
	return f
}

// Every value is finite, whatever stands in a header: the integers of a snapshot are
// any 64 bits, and Fill is from 0 to 1.
var figures = []figure{
	counter(both, "produced_messages", "Messages published since the segment was created.",
		func(s *pressure.Snapshot) float64 { return float64(s.Produced) }),
	counter(both, "consumed_messages", "Messages taken and released.",
		func(s *pressure.Snapshot) float64 { return float64(s.Consumed) }),
	counter(both, "produced_bytes", "Payload published.",
		func(s *pressure.Snapshot) float64 { return float64(s.ProducedBytes) }),
	counter(both, "consumed_bytes", "Payload taken.",
		func(s *pressure.Snapshot) float64 { return float64(s.ConsumedBytes) }),

	counter(both, "producer_blocked_seconds", "Time that the producer slept because the queue was full, a sleep that goes on included.",
		func(s *pressure.Snapshot) float64 { return s.Producer.Blocked.Seconds() }),
	counter(both, "consumer_blocked_seconds", "Time that the consumer slept because the queue was empty, a sleep that goes on included.",
		func(s *pressure.Snapshot) float64 { return s.Consumer.Blocked.Seconds() }),
	counter(both, "producer_waits", "Times that the producer slept because the queue was full.",
		func(s *pressure.Snapshot) float64 { return float64(s.Producer.Waits) }),
	counter(both, "consumer_waits", "Times that the consumer slept because the queue was empty.",
		func(s *pressure.Snapshot) float64 { return float64(s.Consumer.Waits) }),
	counter(both, "producer_spins", "Waits of the producer that ended before it came to a sleep.",
		func(s *pressure.Snapshot) float64 { return float64(s.Producer.Spins) }),
	counter(both, "consumer_spins", "Waits of the consumer that ended before it came to a sleep.",
		func(s *pressure.Snapshot) float64 { return float64(s.Consumer.Spins) }),
	counter(both, "producer_wakes", "Times that the producer woke the consumer.",
		func(s *pressure.Snapshot) float64 { return float64(s.Producer.Wakes) }),
	counter(both, "consumer_wakes", "Times that the consumer woke the producer.",
		func(s *pressure.Snapshot) float64 { return float64(s.Consumer.Wakes) }),
	counter(both, "producer_spurious_wakes", "Times that the producer was woken for nothing.",
		func(s *pressure.Snapshot) float64 { return float64(s.Producer.Spurious) }),
	counter(both, "consumer_spurious_wakes", "Times that the consumer was woken for nothing.",
		func(s *pressure.Snapshot) float64 { return float64(s.Consumer.Spurious) }),

	counter(both, "dropped_messages", "Messages given up because the queue was full.",
		func(s *pressure.Snapshot) float64 { return float64(s.Dropped) }),
	counter(both, "refused", "Times that the way out was refused: a full ring that nobody waits for, or a socket or descriptors that ran out.",
		func(s *pressure.Snapshot) float64 { return float64(s.Refused) }),
	counter(layout.ModeTransfer, "lost_messages", "Messages that went with a producer that died or gave up.",
		func(s *pressure.Snapshot) float64 { return float64(s.Lost) }),

	gauge(both, "queue_messages", "Messages in the queue.",
		func(s *pressure.Snapshot) float64 { return float64(s.Depth()) }),
	gauge(both, "queue_bytes", "Bytes in the queue: ring, record headers included; transfer, memory in flight.",
		func(s *pressure.Snapshot) float64 { return float64(s.QueueBytes) }),
	gauge(both, "fill_ratio", "Share of the tighter bound that is in use, from 0 to 1; 0 without a bound.",
		func(s *pressure.Snapshot) float64 { return s.Fill() }),
	gauge(both, "high_water_messages", "Deepest queue seen since the segment was created.",
		func(s *pressure.Snapshot) float64 { return float64(s.Deepest()) }),
	gauge(both, "memory_bytes", "Memory that the segment and the messages in flight take.",
		func(s *pressure.Snapshot) float64 { return float64(s.Memory) }),
	gauge(layout.ModeRing, "capacity_bytes", "Size of the ring.",
		func(s *pressure.Snapshot) float64 { return float64(s.Geometry.Capacity) }),
	gauge(layout.ModeRing, "slots", "Most messages in flight; 0 = the capacity alone bounds them.",
		func(s *pressure.Snapshot) float64 { return float64(s.Geometry.Slots) }),
	gauge(layout.ModeTransfer, "limit_bytes", "Most memory in flight; 0 = no limit.",
		func(s *pressure.Snapshot) float64 { return float64(s.Limit) }),
	gauge(layout.ModeTransfer, "limit_reached", "1 while the producer has been refused by the limit and has not found room again; else 0.",
		func(s *pressure.Snapshot) float64 { return oneIf(s.LimitReached()) }),
	gauge(layout.ModeTransfer, "descriptors", "Descriptors that the producer holds for buffers in flight.",
		func(s *pressure.Snapshot) float64 { return float64(s.Descriptors) }),
	gauge(layout.ModeTransfer, "descriptors_max", "Descriptors that the producer may have.",
		func(s *pressure.Snapshot) float64 { return float64(s.MaxDescriptors) }),

	gauge(both, "producer_alive", "1 while a live process holds the producer's role, else 0.",
		func(s *pressure.Snapshot) float64 { return aliveOrNot(&s.Producer) }),
	gauge(both, "consumer_alive", "1 while a live process holds the consumer's role, else 0.",
		func(s *pressure.Snapshot) float64 { return aliveOrNot(&s.Consumer) }),
	gauge(both, "created_timestamp_seconds", "When the segment was created, in seconds since 1970: counters start anew with it.",
		func(s *pressure.Snapshot) float64 { return float64(s.Created.UnixNano()) / float64(time.Second) }),
}

// aliveOrNot is not a number where nobody knows.
func aliveOrNot(s *pressure.RoleStats) float64 {
	if s.Unknown {
		return math.NaN()
	}
	return oneIf(s.Alive)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
