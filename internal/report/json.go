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
	UnsentBytes *int64  `json:"unsentBytes"`
	StreamEnd   *string `json:"streamEnd"`
	Run         *run    `json:"run"`
	Producer    *holder `json:"producer"`
	Consumer    *holder `json:"consumer"`

	Verdict       *pressure.Kind `json:"verdict"`
	VerdictWhy    string         `json:"verdictWhy"`
	VerdictAdvice string         `json:"verdictAdvice"`
}

// run is what has happened since this side began; null for an observer, who did not.
type run struct {
	WaitingCount  *uint64 `json:"waitingCount"` // messages that were in the queue then
	ProducedCount *uint64 `json:"producedCount"`
	ConsumedCount *uint64 `json:"consumedCount"`
	RefusedCount  *uint64 `json:"refusedCount"`
	DroppedCount  *uint64 `json:"droppedCount"`
	LostCount     *uint64 `json:"lostCount"`
}

// holder is who holds a role, or has held it last.
type holder struct {
	Alive    *bool   `json:"alive"` // null where the kernel does not tell
	PID      *int    `json:"pid"`   // null without one
	State    *string `json:"state"` // as the side says, while it lives
	Where    string  `json:"where"` // in words
	Wakes    uint64  `json:"wakes"` // times it woke the other one
	Spurious uint64  `json:"spuriousWakes"`
}

func newHolder(s *pressure.RoleStats) *holder {
	out := &holder{Where: Whereabouts(s), Wakes: s.Wakes, Spurious: s.Spurious}
	if !s.Unknown {
		out.Alive = &s.Alive
	}
	if s.Alive {
		out.State = new(s.State.String())
	}
	if s.Generation > 0 {
		out.PID = &s.PID
	}
	return out
}

// figures is all that comes from a segment. Pointers, so that a line without a
// segment shows every key as null.
type figures struct {
	ProducedCount    *uint64  `json:"producedCount"`
	ConsumedCount    *uint64  `json:"consumedCount"`
	ProducedBytes    *uint64  `json:"producedBytes"`
	ConsumedBytes    *uint64  `json:"consumedBytes"`
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
	RefusedCount     *uint64  `json:"refusedCount"`
	DroppedCount     *uint64  `json:"droppedCount"`
	HighWater        *uint64  `json:"highWater"`
	MemoryBytes      *uint64  `json:"memoryBytes"`
	LostCount        *uint64  `json:"lostCount"`
	LimitBytes       *uint64  `json:"limitBytes"`
	LimitInSec       *float64 `json:"limitInSec"`
	FdsInFlight      *uint64  `json:"fdsInFlight"`
	FdsMax           *uint64  `json:"fdsMax"`
	RefuseReason     *string  `json:"refuseReason"`
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

// noteLine is what a side has to say between its reports.
type noteLine struct {
	Note    string  `json:"note"`
	Hint    *string `json:"hint"` // null: there is nothing to do
	Segment string  `json:"segment"`

	StreamEnd *string `json:"streamEnd,omitempty"`

	VerifiedCount *uint64 `json:"verifiedCount,omitempty"`
}

// JSON prints a report as one object and a line feed.
func JSON(out io.Writer, r *Report) error {
	l := line{
		Role: r.Role, Name: r.Name, Mode: r.Mode.String(),
		ElapsedSec: round(r.Elapsed.Seconds()), Final: r.Final, figures: &figures{}, UnsentBytes: r.Unsent,
		VerdictWhy: r.Reason, VerdictAdvice: r.Advice,
	}
	if r.Verdict.Kind != "" {
		l.Verdict = &r.Verdict.Kind
	}
	if r.End != "" {
		l.StreamEnd = &r.End
	}
	if i := r.Run; i != nil {
		l.Run = &run{&i.Waiting, &i.Produced, &i.Consumed, &i.Refused, &i.Dropped, &i.Lost}
	}
	if s := r.Now; s != nil {
		l.figures = newFigures(s, &r.Interval, &r.Verdict)
		l.Producer, l.Consumer = newHolder(&s.Producer), newHolder(&s.Consumer)
	}
	switch {
	case r.Own == nil:
	case r.Role == layout.Producer.String():
		l.ProducedCount, l.Run = &r.Own.Ever, &run{ProducedCount: &r.Own.Now}
	default:
		l.ConsumedCount, l.Run = &r.Own.Ever, &run{ConsumedCount: &r.Own.Now}
	}
	return json.NewEncoder(out).Encode(l)
}

func newFigures(s *pressure.Snapshot, i *pressure.Interval, v *pressure.Verdict) *figures {
	f := &figures{
		ProducedCount: &s.Produced, ConsumedCount: &s.Consumed, ProducedBytes: &s.ProducedBytes, ConsumedBytes: &s.ConsumedBytes,
		ProducerWaits: &s.Producer.Waits, ConsumerWaits: &s.Consumer.Waits,
		ProducerWaitSec: new(round(s.Producer.Blocked.Seconds())), ConsumerWaitSec: new(round(s.Consumer.Blocked.Seconds())),
		ProducerSpins: &s.Producer.Spins, ConsumerSpins: &s.Consumer.Spins,
		QueueDepth: new(s.Depth()), QueueBytes: &s.QueueBytes,
		Fill:             new(round(s.Fill())),
		ThroughputPerSec: new(round(i.Throughput)),
		RefusedCount:     &s.Refused, DroppedCount: &s.Dropped, HighWater: new(s.Deepest()), MemoryBytes: &s.Memory, LostCount: &s.Lost,
	}
	if s.Geometry.Mode == layout.ModeRing {
		f.CapacityBytes, f.Slots = &s.Geometry.Capacity, &s.Geometry.Slots
	} else {
		f.LimitBytes, f.RefuseReason = &s.Limit, new(s.RefuseReason.String())
		f.FdsInFlight, f.FdsMax = &s.Descriptors, &s.MaxDescriptors
	}
	if v.FullIn > 0 {
		f.LimitInSec = new(round(v.FullIn.Seconds()))
	}
	if h := &i.Latency; h.Count > 0 {
		f.Latency = &latency{h.Quantile(0.5), h.Quantile(0.9), h.Quantile(0.99), h.Quantile(0.999), h.Max}
	}
	return f
}

// round keeps a microsecond, or a millionth.
func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }
