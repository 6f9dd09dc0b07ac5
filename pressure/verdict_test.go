package pressure

import (
	"testing"
	"time"

	"sluice/layout"
)

// second is a pair of snapshots one second apart on a ring of 1 MiB and 8
// slots, between live sides; change edits what came out.
func second(change func(before, after *Snapshot)) (before, after Snapshot) {
	before = Snapshot{
		At:       uint64(100 * time.Second),
		Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20, Slots: 8, DataOffset: layout.HeaderSize},
		Produced: 1000, Consumed: 1000,
		Producer: Side{Alive: true, State: layout.StateRunning},
		Consumer: Side{Alive: true, State: layout.StateRunning},
	}
	after = before
	after.At += uint64(time.Second)
	after.Consumer.Progress = after.At
	after.Produced, after.Consumed = 1200, 1200
	change(&before, &after)
	return before, after
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   Kind
		change func(before, after *Snapshot)
	}{
		{"a consumer that sleeps most of the time", ProducerBound, func(_, s *Snapshot) {
			s.Consumer.Blocked, s.Consumer.Waits = 950*time.Millisecond, 200
		}},
		{"a producer that sleeps most of the time", ConsumerBound, func(_, s *Snapshot) {
			s.Producer.Blocked, s.Producer.Waits, s.Produced = 950*time.Millisecond, 50, 1208
		}},
		{"a full queue and nobody asleep", ConsumerBound, func(_, s *Snapshot) { s.Produced = 1208 }},
		{"a ring full of bytes", ConsumerBound, func(_, s *Snapshot) {
			s.Geometry.Slots, s.QueueBytes, s.Produced = 0, 1<<20, 1300
		}},
		{"both sides asleep in turn", Balanced, func(_, s *Snapshot) {
			s.Producer.Blocked, s.Consumer.Blocked = 400*time.Millisecond, 300*time.Millisecond
		}},
		{"nobody asleep and room left", Balanced, func(_, s *Snapshot) { s.Produced = 1202 }},
		{"nothing moves and nothing is queued", Idle, func(b, s *Snapshot) {
			s.Produced, s.Consumed, s.Consumer.Blocked = 1000, 1000, time.Second
		}},
		{"no consumer ever", NoConsumer, func(_, s *Snapshot) {
			s.Consumer, s.Consumed, s.Produced = Side{}, 1000, 1008
		}},
		{"a consumer that died with messages left", NoConsumer, func(_, s *Snapshot) {
			s.Consumer.Alive, s.Produced = false, 1205
		}},
		{"a producer that died", NoProducer, func(_, s *Snapshot) {
			s.Producer.Alive, s.Produced, s.Consumed = false, 1000, 1000
		}},
		{"the last second of a producer that ended well", ProducerBound, func(_, s *Snapshot) {
			s.Producer = Side{State: layout.StateClosed}
			s.Consumer.Blocked = 900 * time.Millisecond
		}},
		{"a consumer that ended well when all was read", Balanced, func(_, s *Snapshot) {
			s.Consumer.Alive, s.Consumer.State = false, layout.StateClosed
		}},
		{"a live consumer that has taken nothing for ten seconds", Stalled, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1008
			s.Producer.Blocked = time.Second
			s.Consumer.Progress = s.At - uint64(10*time.Second)
		}},
		{"a consumer that has only just taken the role of a dead one", ConsumerBound, func(b, s *Snapshot) {
			b.Consumer.Alive = false
			s.Consumed, s.Produced = 1000, 1008
			s.Producer.Blocked = time.Second
			s.Consumer.Progress = s.At - uint64(time.Hour)
		}},
		{"a slow consumer at work on a message", ConsumerBound, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1008
			s.Producer.Blocked = time.Second
			s.Consumer.Progress = s.At - uint64(2*time.Second)
		}},
		{"a consumer that was stopped while it slept", ConsumerBound, func(b, s *Snapshot) {
			b.Produced, s.Consumed, s.Produced = 1008, 1000, 1008
			s.Producer.Blocked, s.Consumer.Blocked = time.Second, time.Second
			s.Consumer.Progress = s.At - uint64(2*time.Second)
		}},
		{"a transfer at its limit, whose consumer slept before that", ConsumerBound, func(b, s *Snapshot) {
			s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
			s.Limit, s.QueueBytes, s.Produced = 1<<20, 1<<20, 1456
			b.Geometry, b.QueueBytes, b.Produced = s.Geometry, 1<<20, 1256
			s.Consumer.Blocked = 900 * time.Millisecond
		}},
		{"a producer that was stopped while it slept", ProducerBound, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1000
			s.Producer.Blocked, s.Consumer.Blocked = time.Second, time.Second
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := second(c.change)
			i := Between(&before, &after)
			if got := Judge(&i, &after); got.Kind != c.want || got.Why == "" {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

// A successor's repair sets a count back by what its predecessor did not live to
// publish, and a side may note progress after the snapshot's clock was read.
func TestCountersThatGoBackMakeNoNonsense(t *testing.T) {
	before, after := second(func(b, s *Snapshot) {
		s.Consumed, s.Produced = b.Consumed-10, b.Produced+8
		s.Producer.Waits, b.Producer.Waits = 0, 5
		s.Producer.Blocked, b.Producer.Blocked = 0, time.Second
		s.Consumer.Progress = s.At + 5
	})
	i := Between(&before, &after)
	if i.Consumed != 0 || i.Throughput != 0 || i.ProducerWaits != 0 || i.ProducerBlocked != 0 {
		t.Errorf("%+v", i)
	}
	if v := Judge(&i, &after); v.Kind == Stalled {
		t.Errorf("%+v", v)
	}
}

func TestBlockedTimeIncludesASleepThatGoesOn(t *testing.T) {
	var h layout.Header
	g, err := layout.NewRing(4096, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(50 * time.Second)
	asleepSince := now - uint64(3*time.Second)
	h.ProducerSide.Blocked.Store(uint64(2*time.Second) - asleepSince) // 2 s before, and counting
	h.ProducerSide.ProgressAt.Store(asleepSince)

	if s := Read(&h, g, Alive{Producer: true}, now); s.Producer.Blocked != 5*time.Second {
		t.Errorf("alive: %v, want 5s", s.Producer.Blocked)
	}
	if s := Read(&h, g, Alive{}, now); s.Producer.Blocked != 2*time.Second {
		t.Errorf("dead: %v, want 2s: nobody was blocked after the death", s.Producer.Blocked)
	}
}

func TestAQueueIsNeverNegativeOrOverfull(t *testing.T) {
	var h layout.Header
	g, err := layout.NewRing(4096, 4, 4096)
	if err != nil {
		t.Fatal(err)
	}
	h.Consumer.Count.Store(10)
	h.Consumer.Index.Store(1 << 40)
	s := Read(&h, g, Alive{}, 0)
	h.Producer.Count.Store(10)
	if late := Read(&h, g, Alive{}, 0); late.Depth() != 0 {
		t.Errorf("depth %d", late.Depth())
	}
	h.Producer.Count.Store(1000)
	if late := Read(&h, g, Alive{}, 0); late.Depth() != 4 {
		t.Errorf("depth %d with 4 slots", late.Depth())
	}
	if s.Depth() != 0 || s.QueueBytes > 4096 || s.Fill() > 1 {
		t.Errorf("depth %d, bytes %d, fill %v", s.Depth(), s.QueueBytes, s.Fill())
	}
}

func TestQuantiles(t *testing.T) {
	var h, empty Histogram
	for us := range uint64(1000) { // 1 to 1000 microseconds, once each
		h.Buckets[layout.LatencyBucket((us+1)*1000)]++
		h.Count++
	}
	h.Max = time.Millisecond
	for q, want := range map[float64]time.Duration{0: time.Microsecond, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond} {
		got := h.Quantile(q)
		if off := (got - want).Abs(); off > want/25 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if empty.Quantile(0.5) != 0 {
		t.Error("an empty histogram has no median")
	}
	if d := h.Since(&h); d.Count != 0 || d.Max != 0 {
		t.Errorf("nothing happened since, but count %d, max %v", d.Count, d.Max)
	}
	if d := h.Since(&empty); d != h {
		t.Errorf("everything happened since, but count %d, max %v", d.Count, d.Max)
	}
}
