package pressure

import (
	"testing"
	"time"

	"sluice/layout"
)

// growingTransfer is a pair of snapshots one second apart of a transfer with a limit of
// 100 MiB, of which 10 MiB more are in use than before.
func growingTransfer(change func(before, after *Snapshot)) (before, after Snapshot) {
	return oneSecond(func(b, s *Snapshot) {
		for _, at := range []*Snapshot{b, s} {
			at.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
			at.Limit, at.QueueBytes = 100<<20, 10<<20
		}
		s.QueueBytes, s.Produced, s.Consumed = 20<<20, 2000, 1100
		change(b, s)
	})
}

func TestGrowing_Forecast(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   Kind
		left   time.Duration
		change func(before, after *Snapshot)
	}{
		{"a slower consumer", Growing, 8 * time.Second, func(_, _ *Snapshot) {}},
		{"a consumer that takes nothing", Stalled, 8 * time.Second, func(_, s *Snapshot) {
			s.Consumed, s.Consumer.ProgressAt = 1000, s.At-uint64(time.Minute)
		}},
		{"a few messages, and nobody takes them", Growing, 8 * time.Second, func(_, s *Snapshot) { s.Produced, s.Consumed = 1010, 1000 }},
		{"nobody there", NoConsumer, 8 * time.Second, func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed = RoleStats{}, RoleStats{}, 1000
		}},
		{"a consumer in step", Balanced, 0, func(_, s *Snapshot) { s.Consumed = 1990 }},
		{"a consumer that catches up", ConsumerBound, 0, func(b, s *Snapshot) { b.Consumed, s.Consumed = 0, 1800 }},
		{"what comes and goes with a packet", ProducerBound, 0, func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Consumer.Blocked = 1300, 1250, 300*time.Millisecond
		}},
		{"a slower consumer of few messages", Growing, 8 * time.Second, func(_, s *Snapshot) { s.Produced, s.Consumed = 1050, 1036 }},
		{"a message more than a moment ago", Balanced, 0, func(_, s *Snapshot) { s.Produced, s.Consumed = 1005, 1004 }},
		{"a short queue whose messages wait for long", ConsumerBound, 0, func(b, s *Snapshot) {
			b.Consumed, s.Produced, s.Consumed = 960, 1050, 1020
			addLatency(s, 500*time.Millisecond)
		}},
		{"a queue that was short when what is taken came into it", ConsumerBound, 0, func(b, s *Snapshot) {
			b.Consumed, s.Produced, s.Consumed, s.Producer.End = 0, 2000, 200, layout.EndComplete
			addLatency(s, 1900*time.Millisecond)
		}},
		{"a few messages that had to wait once", Balanced, 0, func(b, s *Snapshot) {
			b.Consumed, s.Produced, s.Consumed = 996, 1024, 1020
			addLatency(s, 80*time.Millisecond)
		}},
		{"a short queue whose messages have just come", Balanced, 0, func(b, s *Snapshot) {
			b.Consumed, s.Produced, s.Consumed = 960, 1050, 1020
			addLatency(s, time.Millisecond)
		}},
		{"a producer that has gone", ConsumerBound, 0, func(_, s *Snapshot) { s.Producer = RoleStats{State: layout.StateClosed} }},
		{"a producer that only delivers what is queued", ConsumerBound, 0, func(_, s *Snapshot) { s.Producer.End = layout.EndComplete }},
		{"a producer that only waits for somebody to deliver to", NoConsumer, 0, func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed, s.Producer.End = RoleStats{}, RoleStats{}, 1000, layout.EndStopped
		}},
		{"a producer that has just come after one that has ended", Growing, 8 * time.Second, func(_, s *Snapshot) {
			s.Producer.State, s.Producer.End = layout.StateClosed, layout.EndComplete
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := growingTransfer(c.change)
			i := Between(&before, &after)
			v := Judge(&i, &after)
			if grows := c.left > 0; v.Kind != c.want || v.Grows != grows || (v.FullIn-c.left).Abs() > time.Millisecond {
				t.Errorf("%+v, want %s with %v left", v, c.want, c.left)
			}
		})
	}
}

// Without a limit there is nothing to forecast but the machine's memory.
func TestGrowing_NoLimit(t *testing.T) {
	before, after := growingTransfer(func(b, s *Snapshot) { b.Limit, s.Limit = 0, 0 })
	i := Between(&before, &after)
	if v := Judge(&i, &after); v.Kind != Growing || v.Cause != CauseFills || !v.Grows || v.FullIn != 0 {
		t.Errorf("%+v", v)
	}
}

// fillingRing is a ring of 100 MiB, of which 10 MiB more are in use than a second before.
func fillingRing(change func(before, after *Snapshot)) (before, after Snapshot) {
	return growingTransfer(func(b, s *Snapshot) {
		for _, at := range []*Snapshot{b, s} {
			at.Geometry, at.Limit = layout.Geometry{Mode: layout.ModeRing, Capacity: 100 << 20}, 0
		}
		change(b, s)
	})
}

// A ring that fills has a slower side, however little anybody has waited yet.
func TestFilling_Forecast(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   Kind
		left   time.Duration
		change func(before, after *Snapshot)
	}{
		{"bytes", ConsumerBound, 8 * time.Second, func(_, _ *Snapshot) {}},
		{"fixed slots", ConsumerBound, 8 * time.Second, func(b, s *Snapshot) { b.Geometry.SlotSize, s.Geometry.SlotSize = 1024, 1024 }},
		{"slots", ConsumerBound, 2 * time.Second, func(b, s *Snapshot) { b.Geometry.Slots, s.Geometry.Slots = 2700, 2700 }},
		{"a consumer that sleeps between bursts", ProducerBound, 0, func(_, s *Snapshot) { s.Consumer.Blocked = 300 * time.Millisecond }},
		{"a consumer in step", Balanced, 0, func(_, s *Snapshot) { s.Consumed = 1950 }},
		{"a message more than a moment ago", Balanced, 0, func(_, s *Snapshot) { s.Produced, s.Consumed = 1005, 1004; s.QueueBytes = 10<<20 + 64 }},
		{"a ring that is full already", ConsumerBound, 0, func(_, s *Snapshot) { s.QueueBytes = 95 << 20 }},
		{"a producer that has gone", ConsumerBound, 0, func(_, s *Snapshot) { s.Producer = RoleStats{State: layout.StateClosed} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := fillingRing(c.change)
			i := Between(&before, &after)
			v := Judge(&i, &after)
			if grows := c.left > 0; v.Kind != c.want || v.Grows != grows || (v.FullIn-c.left).Abs() > time.Millisecond {
				t.Errorf("%+v, want %s with %v left", v, c.want, c.left)
			}
		})
	}
}

// One second may be a batch's; the pace is that of the last few.
func TestForecast_SmoothsBatches(t *testing.T) {
	_, s := fillingRing(func(b, s *Snapshot) { *s = *b; s.Produced, s.Consumed, s.QueueBytes = 1000, 1000, 0 })
	var trend Trend
	trend.Add(s)
	var v Verdict
	for second := range 10 {
		s.At += uint64(time.Second)
		s.Produced += 1000
		if second%2 == 1 { // the consumer gives back what it took in two
			s.Consumed += 1000
		}
		s.QueueBytes, s.Consumer.ProgressAt = (s.Produced-s.Consumed)*1024, s.At
		_, v = trend.Add(s)
		if left := 200*time.Second - time.Duration(second)*time.Second; second >= 4 && (v.FullIn-left).Abs() > left/4 {
			t.Errorf("second %d: %v left, want about %v (%+v)", second, v.FullIn, left, v)
		}
	}
}

// The pace of a queue that has only just begun to grow is not that of the time before.
func TestForecast_StartsAtBeginning(t *testing.T) {
	_, s := growingTransfer(func(b, s *Snapshot) { *s = *b; s.Produced, s.Consumed, s.QueueBytes = 1000, 1000, 0 })
	var trend Trend
	trend.Add(s)
	step := func(taken uint64) Verdict {
		s.At += uint64(time.Second)
		s.Produced, s.Consumed = s.Produced+1000, s.Consumed+taken
		s.QueueBytes = (s.Produced - s.Consumed) * 10240
		_, v := trend.Add(s)
		return v
	}
	for second := range 6 {
		if v := step(1000 - uint64(second%2)); v.FullIn != 0 {
			t.Fatalf("%+v", v)
		}
	}
	step(0)
	if v := step(0); (v.FullIn - 8240*time.Millisecond).Abs() > 100*time.Millisecond { // 20 MB of 100 MiB are in use
		t.Errorf("%+v", v)
	}
}

// What it was long ago does not count, nor does it when the queue has stopped growing.
func TestForecast_LastSeconds(t *testing.T) {
	_, s := growingTransfer(func(b, s *Snapshot) { *s = *b; s.Produced, s.Consumed, s.QueueBytes = 1000, 1000, 0 })
	var trend Trend
	trend.Add(s)
	step := func(d time.Duration, deeper int) Verdict {
		s.At += uint64(d)
		s.Produced, s.Consumed = s.Produced+2000, s.Consumed+uint64(2000-deeper)
		s.QueueBytes = (s.Produced - s.Consumed) * 4096
		_, v := trend.Add(s)
		return v
	}
	for range 10 {
		step(time.Second, 300)
	}
	var v Verdict
	for range 6 {
		v = step(time.Second, 1000)
	}
	if left := 16600 * time.Millisecond; v.Kind != Growing || (v.FullIn-left).Abs() > time.Second { // 25,600 fit, 9,000 are there
		t.Errorf("%v left, want about %v: %+v", v.FullIn, left, v)
	}
	for range 4 {
		step(250*time.Millisecond, 1000)
	}
	if v := step(250*time.Millisecond, -100); v.Kind == Growing || v.FullIn != 0 {
		t.Errorf("the queue has begun to get shorter: %+v", v)
	}
}

func TestTransfer_CountersAddUp(t *testing.T) {
	var h layout.Header
	h.Identity.Mode.Store(uint64(layout.ModeTransfer))
	h.Producer.Count.Store(1000)
	h.Producer.Index.Store(500 << 12)
	h.Consumer.Count.Store(700)
	h.Consumer.Index.Store(400 << 12)
	h.ConsumerStats.Lost.Store(50)
	h.ConsumerStats.Consumed.Store(650)
	h.ProducerStats.Limit.Store(1 << 20)
	h.ProducerStats.Descriptors.Store(300)
	s := Read(&h, layout.Geometry{Mode: layout.ModeTransfer}, LiveRoles{}, 0)
	if s.Consumed != 650 || s.Lost != 50 || s.Depth() != 300 || s.QueueBytes != 100<<12 || s.Fill() != 100.0/256 || s.Memory != layout.HeaderSize+100<<12 {
		t.Errorf("consumed %d, lost %d, depth %d, bytes %d, fill %v, memory %d", s.Consumed, s.Lost, s.Depth(), s.QueueBytes, s.Fill(), s.Memory)
	}
	if living := Read(&h, s.Geometry, LiveRoles{Producer: true}, 0); s.Descriptors != 0 || living.Descriptors != 300 {
		t.Errorf("a dead producer holds %d descriptors, a living one %d", s.Descriptors, living.Descriptors)
	}
	h.Consumer.Index.Store(501 << 12)
	h.ConsumerStats.Lost.Store(1 << 60)
	s = Read(&h, layout.Geometry{Mode: layout.ModeTransfer}, LiveRoles{}, 0)
	if s.QueueBytes != 0 || s.Depth() != 0 {
		t.Errorf("of nonsense: bytes %d, consumed %d, depth %d", s.QueueBytes, s.Consumed, s.Depth())
	}
}
