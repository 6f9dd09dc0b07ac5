package pressure

import (
	"strings"
	"testing"
	"time"

	"sluice/layout"
)

// transferred is a pair of snapshots one second apart of a transfer with a limit of
// 100 MiB, of which 10 MiB more are in use than before.
func transferred(change func(before, after *Snapshot)) (before, after Snapshot) {
	return second(func(b, s *Snapshot) {
		for _, at := range []*Snapshot{b, s} {
			at.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
			at.Limit, at.QueueBytes = 100<<20, 10<<20
		}
		s.QueueBytes, s.Produced, s.Consumed = 20<<20, 2000, 1100
		change(b, s)
	})
}

func TestAQueueThatGrowsHasAForecast(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   Kind
		left   time.Duration
		change func(before, after *Snapshot)
	}{
		{"a slower consumer", Growing, 8 * time.Second, func(_, _ *Snapshot) {}},
		{"a consumer that has stopped", Growing, 8 * time.Second, func(_, s *Snapshot) {
			s.Consumed, s.Consumer.Progress = 1000, s.At-uint64(time.Minute)
		}},
		{"no limit", Growing, time.Nanosecond, func(b, s *Snapshot) { b.Limit, s.Limit = 0, 0 }},
		{"nobody there", NoConsumer, 8 * time.Second, func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed = Side{}, Side{}, 1000
		}},
		{"a consumer in step", Balanced, 0, func(_, s *Snapshot) { s.Consumed = 1990 }},
		{"a consumer that catches up", ConsumerBound, 0, func(b, s *Snapshot) { b.Consumed, s.Consumed = 0, 1800 }},
		{"what comes and goes with a packet", Balanced, 0, func(_, s *Snapshot) { s.Produced, s.Consumed = 1300, 1250 }},
		{"a producer that has gone", ConsumerBound, 0, func(_, s *Snapshot) { s.Producer = Side{State: layout.StateClosed} }},
		{"a ring", Balanced, 0, func(b, s *Snapshot) {
			for _, at := range []*Snapshot{b, s} {
				at.Geometry, at.Limit = layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 30}, 0
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := transferred(c.change)
			i := Between(&before, &after)
			v := Judge(&i, &after)
			if v.Kind != c.want || (v.Left-c.left).Abs() > time.Millisecond {
				t.Errorf("%+v, want %s with %v left", v, c.want, c.left)
			}
			if said := strings.Contains(v.Why, "limit"); said != (c.left > 0) {
				t.Errorf("%q", v.Why)
			}
		})
	}
}

func TestATransfersCountersAddUp(t *testing.T) {
	var h layout.Header
	h.Producer.Count.Store(1000)
	h.Producer.Index.Store(500 << 12)
	h.Consumer.Count.Store(700)
	h.Consumer.Index.Store(400 << 12)
	h.ConsumerSide.Lost.Store(50)
	h.ProducerSide.Limit.Store(1 << 20)
	s := Read(&h, layout.Geometry{Mode: layout.ModeTransfer}, Alive{}, 0)
	if s.Consumed != 650 || s.Lost != 50 || s.Depth() != 300 || s.QueueBytes != 100<<12 || s.Fill() != 100.0/256 || s.Memory != layout.HeaderSize+100<<12 {
		t.Errorf("consumed %d, lost %d, depth %d, bytes %d, fill %v, memory %d", s.Consumed, s.Lost, s.Depth(), s.QueueBytes, s.Fill(), s.Memory)
	}
	h.Consumer.Index.Store(501 << 12)
	h.ConsumerSide.Lost.Store(1 << 60)
	s = Read(&h, layout.Geometry{Mode: layout.ModeTransfer}, Alive{}, 0)
	if s.QueueBytes != 0 || s.Consumed != 0 || s.Depth() != 300 {
		t.Errorf("of nonsense: bytes %d, consumed %d, depth %d", s.QueueBytes, s.Consumed, s.Depth())
	}
}
