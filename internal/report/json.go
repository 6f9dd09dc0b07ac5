package report

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// line is the public face of a report. Keys keep their meaning; what is not
// known is null.
type line struct {
	Role       string  `json:"role"`
	Name       string  `json:"name"`
	Mode       string  `json:"mode"`
	ElapsedSec float64 `json:"elapsedSec"`
	Final      bool    `json:"final"`

	*figures
	UnsentBytes *int64 `json:"unsentBytes"`

	Verdict       pressure.Kind `json:"verdict"`
	VerdictWhy    string        `json:"verdictWhy"`
	VerdictAdvice string        `json:"verdictAdvice"`
}

// figures is all that comes from a segment. Pointers, so that a line without a
// segment shows every key as null.
type figures struct {
	ProducedCount    *uint64  `json:"producedCount"`
	ConsumedCount    *uint64  `json:"consumedCount"`
	ProducerWaits    *uint64  `json:"producerWaits"`
	ConsumerWaits    *uint64  `json:"consumerWaits"`
	ProducerWaitSec  *float64 `json:"producerWaitSec"`
	ConsumerWaitSec  *float64 `json:"consumerWaitSec"`
	ProducerSpins    *uint64  `json:"producerSpins"`
	ConsumerSpins    *uint64  `json:"consumerSpins"`
	QueueDepth       *uint64  `json:"queueDepth"`
	QueueBytes       *uint64  `json:"queueBytes"`
	CapacityBytes    *uint64  `json:"capacityBytes"`
	Slots            *uint64  `json:"slots"`
	Fill             *float64 `json:"fill"`
	ThroughputPerSec *float64 `json:"throughputPerSec"`
	BlockedCount     *uint64  `json:"blockedCount"`
	DroppedCount     *uint64  `json:"droppedCount"`
	HighWater        *uint64  `json:"highWater"`
	MemoryBytes      *uint64  `json:"memoryBytes"`
	LostCount        *uint64  `json:"lostCount"`
	LimitBytes       *uint64  `json:"limitBytes"`
	LimitInSec       *float64 `json:"limitInSec"`
	FdsInFlight      *uint64  `json:"fdsInFlight"`
	FdsMax           *uint64  `json:"fdsMax"`
	Obstacle         *string  `json:"obstacle"`
	Latency          *latency `json:"latency"`
}

// latency is the times from publish to take, ns, in the interval.
type latency struct {
	P50  time.Duration `json:"p50"`
	P90  time.Duration `json:"p90"`
	P99  time.Duration `json:"p99"`
	P999 time.Duration `json:"p999"`
	Max  time.Duration `json:"max"`
}

// jsonLines prints one object a line.
type jsonLines struct{}

func (jsonLines) print(out io.Writer, r *Report) error { return JSON(out, r) }

// JSON prints a report as one object and a line feed.
func JSON(out io.Writer, r *Report) error {
	l := line{
		Role: r.Role, Name: r.Name, Mode: r.Mode.String(),
		ElapsedSec: round(r.Elapsed.Seconds()), Final: r.Final, figures: &figures{}, UnsentBytes: r.Unsent,
		Verdict: r.Verdict.Kind, VerdictWhy: r.Verdict.Why, VerdictAdvice: r.Verdict.Advice,
	}
	if s := r.Now; s != nil {
		l.figures = newFigures(s, &r.Interval, &r.Verdict)
	}
	return json.NewEncoder(out).Encode(l)
}

func newFigures(s *pressure.Snapshot, i *pressure.Interval, v *pressure.Verdict) *figures {
	f := &figures{
		ProducedCount: &s.Produced, ConsumedCount: &s.Consumed,
		ProducerWaits: &s.Producer.Waits, ConsumerWaits: &s.Consumer.Waits,
		ProducerWaitSec: new(round(s.Producer.Blocked.Seconds())), ConsumerWaitSec: new(round(s.Consumer.Blocked.Seconds())),
		ProducerSpins: &s.Producer.Spins, ConsumerSpins: &s.Consumer.Spins,
		QueueDepth: new(s.Depth()), QueueBytes: &s.QueueBytes,
		Fill:             new(round(s.Fill())),
		ThroughputPerSec: new(round(i.Throughput)),
		BlockedCount:     &s.Refused, DroppedCount: &s.Dropped, HighWater: &s.HighWater, MemoryBytes: &s.Memory,
	}
	if s.Geometry.Mode == layout.ModeRing {
		f.CapacityBytes, f.Slots = &s.Geometry.Capacity, &s.Geometry.Slots
	} else {
		f.LostCount, f.LimitBytes, f.Obstacle = &s.Lost, &s.Limit, new(s.Obstacle.String())
		f.FdsInFlight, f.FdsMax = &s.Descriptors, &s.MaxDescriptors
		if s.Limit > 0 && v.Left > 0 {
			f.LimitInSec = new(round(v.Left.Seconds()))
		}
	}
	if h := &i.Latency; h.Count > 0 {
		f.Latency = &latency{h.Quantile(0.5), h.Quantile(0.9), h.Quantile(0.99), h.Quantile(0.999), h.Max}
	}
	return f
}

// round keeps a microsecond, or a millionth.
func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }
