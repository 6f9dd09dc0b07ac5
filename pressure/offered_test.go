package pressure

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
)

var oneRing = layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20}

// begun is a header whose producer has just taken its role, and has a schedule.
func begun(rate float64) *layout.Header {
	h := new(layout.Header)
	h.Identity.Mode.Store(uint64(layout.ModeRing))
	endpoint.Begin(&h.ProducerStats)
	endpoint.BeginSchedule(h, 5, rate)
	return h
}

// publish makes n more messages produced.
func publish(h *layout.Header, n uint64) {
	c := &h.Producer
	endpoint.Publish(c, c.Count.Load(), c.Index.Load()+16*n, c.Count.Load()+n, 0, false)
}

func TestSnapshot_Offered_AddsUp(t *testing.T) {
	h := begun(1000)
	endpoint.NoteDue(h, 10)
	publish(h, 4)
	h.ProducerStats.Dropped.Store(2)
	h.ProducerStats.RefusedMessages.Store(1)
	h.ProducerStats.Refused.Store(50) // attempts
	s := Read(h, oneRing, LiveRoles{Producer: true}, 0)
	if s.Produced != 4 || s.Dropped != 2 || s.RefusedMessages != 1 || s.Unsent != 3 || s.Offered() != 10 || s.Refused != 50 {
		t.Errorf("%+v", s)
	}
	want := Schedule{InForce: true, Holder: 1, Base: 5, Rate: 1000, Due: 10, Unsent: 3}
	if s.Schedule != want {
		t.Errorf("schedule %+v, want %+v", s.Schedule, want)
	}
	endpoint.EndSchedule(h)
	publish(h, 6)
	after := Read(h, oneRing, LiveRoles{Producer: true}, 0)
	want.InForce, want.Holder, want.Unsent = false, 0, 0
	if after.Unsent != 3 || after.Offered() != 16 || after.Schedule != want {
		t.Errorf("after its end: unsent %d, offered %d, schedule %+v", after.Unsent, after.Offered(), after.Schedule)
	}
	if i := Between(&s, &after); i.Offered != 6 || i.Produced != 6 || i.Unsent != 3 || i.UnsentGrowth != 0 || i.NotSent != 3 || i.Dropped != 0 || i.RefusedMessages != 0 {
		t.Errorf("%+v", i)
	}
}

// While the producer sends a backlog, drops and gives up messages of it, what was offered stays the
// same, at every look of an observer.
func TestSnapshot_Offered_AddsUpAtEveryLook(t *testing.T) {
	const offered, looks = 1 << 40, 20_000
	h := begun(1e6)
	endpoint.NoteDue(h, offered)
	var stop atomic.Bool
	done := make(chan bool)
	go func() {
		defer close(done)
		for own := &h.ProducerStats; !stop.Load(); {
			publish(h, 1)
			own.Dropped.AddRelaxed(1)
			own.RefusedMessages.AddRelaxed(1)
		}
	}()
	var s Snapshot
	// On a loaded machine the producer may begin later than that many looks take.
	for n, tooLong := 0, time.Now().Add(time.Minute); n < looks || s.Produced == 0 && time.Now().Before(tooLong); n++ {
		s = Read(h, oneRing, LiveRoles{Producer: true}, 0)
		if s.Offered() != offered || s.Schedule.Unsent != s.Unsent {
			t.Errorf("offered %d, want %d: %d produced, %d dropped, %d refused, %d unsent", s.Offered(), offered, s.Produced, s.Dropped, s.RefusedMessages, s.Unsent)
			break
		}
	}
	stop.Store(true)
	if <-done; s.Produced == 0 {
		t.Error("nothing was sent meanwhile")
	}
}

// A hostile rate is none; the counts are meaningless, and harmless.
func TestSnapshot_Schedule_HostileRate(t *testing.T) {
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if s := Read(begun(rate), oneRing, LiveRoles{}, 0); s.Schedule.Rate != 0 || !s.Schedule.InForce {
			t.Errorf("rate %v: %+v", rate, s.Schedule)
		}
	}
}

func TestSnapshot_ThreeTimes(t *testing.T) {
	h := new(layout.Header)
	endpoint.AddTimes(&h.Latency, endpoint.NoTime, 1000, 4)
	before := Read(h, oneRing, LiveRoles{}, 0)
	endpoint.AddTimes(&h.Latency, endpoint.NoTime, 2000, 1)
	endpoint.AddTimes(&h.Response, 0, 1e9, 1000)
	endpoint.AddTimes(&h.Lateness, endpoint.NoTime, 50, 2)
	after := Read(h, oneRing, LiveRoles{}, 1)
	i := Between(&before, &after)
	if after.Latency.Count != 5 || i.Latency.Count != 1 || i.Response.Count != 1000 || i.Lateness.Count != 2 || i.Latency.Max != 2000 || i.Lateness.Max != 50 {
		t.Errorf("latency of %d, in the interval latency of %d, response of %d, lateness of %d", after.Latency.Count, i.Latency.Count, i.Response.Count, i.Lateness.Count)
	}
	if mean := i.Response.Mean(); mean < 499*time.Millisecond || mean > 502*time.Millisecond {
		t.Errorf("messages that were due during a second of which none was taken: mean %v", mean)
	}
}

func TestMean(t *testing.T) {
	for _, c := range []struct {
		h    Histogram
		want time.Duration
	}{
		{Histogram{}, 0},
		{Histogram{Count: 4, Sum: 10, Max: 7}, 2},
		{Histogram{Count: 1, Sum: math.MaxUint64, Max: 7}, 7}, // hostile, or wrapped around
	} {
		if got := c.h.Mean(); got != c.want {
			t.Errorf("%d ns of %d: %v, want %v", c.h.Sum, c.h.Count, got, c.want)
		}
	}
}
