package pressure

import (
	"reflect"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
)

// oneSecond is a pair of snapshots one second apart on a ring of 1 MiB and 8
// slots, between live sides; change edits what came out.
func oneSecond(change func(before, after *Snapshot)) (before, after Snapshot) {
	before = Snapshot{
		At:       uint64(100 * time.Second),
		Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20, Slots: 8, DataOffset: layout.HeaderSize},
		Produced: 1000, Consumed: 1000,
		Producer: RoleStats{Alive: true, State: layout.StateRunning},
		Consumer: RoleStats{Alive: true, State: layout.StateRunning},
	}
	after = before
	after.At += uint64(time.Second)
	after.Consumer.ProgressAt = after.At
	after.Produced, after.Consumed = 1200, 1200
	change(&before, &after)
	return before, after
}

// kinds are those of a verdict's advice.
func kinds(v *Verdict) (all []AdviceKind) {
	for _, a := range v.Advice {
		all = append(all, a.Kind)
	}
	return all
}

func TestVerdict_Kinds(t *testing.T) {
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
		{"a queue that is full for a moment", Balanced, func(b, s *Snapshot) { s.At, s.Produced = b.At+uint64(50*time.Millisecond), 1208 }},
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
			s.Consumer, s.Consumed, s.Produced = RoleStats{}, 1000, 1008
		}},
		{"a consumer that died with messages left", NoConsumer, func(_, s *Snapshot) {
			s.Consumer.Alive, s.Produced = false, 1205
		}},
		{"a producer that died", NoProducer, func(_, s *Snapshot) {
			s.Producer.Alive, s.Produced, s.Consumed = false, 1000, 1000
		}},
		{"the last second of a producer that ended well", ProducerBound, func(_, s *Snapshot) {
			s.Producer = RoleStats{State: layout.StateClosed}
			s.Consumer.Blocked = 900 * time.Millisecond
		}},
		{"a consumer that ended well when all was read", Balanced, func(_, s *Snapshot) {
			s.Consumer.Alive, s.Consumer.State = false, layout.StateClosed
		}},
		{"a consumer that ended well, and nothing has come since", Idle, func(b, s *Snapshot) {
			s.Produced, s.Consumed = 1000, 1000
			b.Consumer = RoleStats{State: layout.StateClosed}
			s.Consumer = b.Consumer
		}},
		{"a consumer that died when it had taken everything", Balanced, func(_, s *Snapshot) { s.Consumer.Alive = false }},
		{"a live consumer that has taken nothing for ten seconds", Stalled, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1008
			s.Producer.Blocked = time.Second
			s.Consumer.ProgressAt = s.At - uint64(10*time.Second)
		}},
		{"of a ring that fills", Stalled, func(b, s *Snapshot) {
			b.Geometry.Slots, s.Geometry.Slots = 0, 0
			s.Consumed, s.Produced, s.Consumer.ProgressAt = 1000, 2000, s.At-uint64(10*time.Second)
		}},
		{"of a ring that drops", Stalled, func(_, s *Snapshot) {
			s.Consumed, s.Produced, s.Dropped, s.Consumer.ProgressAt = 1000, 1008, 200, s.At-uint64(10*time.Second)
		}},
		{"of a transfer at its limit", Stalled, func(b, s *Snapshot) {
			b.Geometry, s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}, layout.Geometry{Mode: layout.ModeTransfer}
			s.Limit, s.QueueBytes, s.RefuseReason = 1<<20, 1<<20, layout.RefuseMemoryLimit
			s.Consumed, s.Consumer.ProgressAt = 1000, s.At-uint64(10*time.Second)
		}},
		{"of what a producer that has ended has left", Stalled, func(b, s *Snapshot) {
			s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
			b.Produced, s.Consumed, s.Consumer.ProgressAt = 1200, 1000, s.At-uint64(10*time.Second)
		}},
		{"of what a producer that died has left", Stalled, func(b, s *Snapshot) {
			s.Producer = RoleStats{Generation: 1, State: layout.StateRunning}
			b.Produced, s.Consumed, s.Consumer.ProgressAt = 1200, 1000, s.At-uint64(10*time.Second)
		}},
		{"at work on a message that a producer that has ended has left", ConsumerBound, func(b, s *Snapshot) {
			s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
			b.Produced, s.Consumed, s.Consumer.ProgressAt = 1200, 1000, s.At-uint64(2*time.Second)
		}},
		{"a stopped consumer of what a producer that has ended has left", Stopped, func(b, s *Snapshot) {
			s.Producer, s.Consumer.Stopped = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}, true
			b.Produced, s.Consumed, s.Consumer.ProgressAt = 1200, 1000, s.At-uint64(10*time.Second)
		}},
		{"a consumer that has only just taken the role of a dead one", ConsumerBound, func(b, s *Snapshot) {
			b.Consumer.Alive = false
			s.Consumed, s.Produced = 1000, 1008
			s.Producer.Blocked = time.Second
			s.Consumer.ProgressAt = s.At - uint64(time.Hour)
		}},
		{"a consumer that takes the role of a dead one, looked at for a moment", ConsumerBound, func(b, s *Snapshot) {
			s.At = b.At + uint64(50*time.Millisecond)
			s.Consumed, s.Produced = 1000, 1003
			s.Producer.Blocked = 50 * time.Millisecond
			s.Consumer.ProgressAt = s.At - uint64(time.Hour)
		}},
		{"a slow consumer at work on a message", ConsumerBound, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1008
			s.Producer.Blocked = time.Second
			s.Consumer.ProgressAt = s.At - uint64(2*time.Second)
		}},
		{"a consumer that was stopped while it slept", Stopped, func(b, s *Snapshot) {
			b.Produced, s.Consumed, s.Produced = 1008, 1000, 1008
			s.Consumer.State = layout.StateBlocked
			s.Producer.Blocked, s.Consumer.Blocked = time.Second, time.Second
			s.Consumer.ProgressAt = s.At - uint64(2*time.Second)
		}},
		{"a consumer that sleeps beside a full queue, looked at for a moment", ProducerBound, func(b, s *Snapshot) {
			s.At = b.At + uint64(50*time.Millisecond)
			b.Produced, s.Consumed, s.Produced = 1008, 1000, 1008
			s.Consumer.State, s.Consumer.Blocked, s.Consumer.ProgressAt = layout.StateBlocked, 50*time.Millisecond, s.At
		}},
		{"a consumer that sleeps beside a queue that has only just filled", ProducerBound, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1008
			s.Consumer.State, s.Consumer.Blocked = layout.StateBlocked, time.Second
		}},
		{"a consumer that has only just come, after one that was killed in its sleep", ConsumerBound, func(b, s *Snapshot) {
			b.Produced, s.Consumed, s.Produced = 1008, 1000, 1008
			b.Consumer.Alive = false
			s.Consumer.State, s.Producer.Blocked = layout.StateBlocked, time.Second
		}},
		{"a transfer at its limit, whose consumer slept before that", ConsumerBound, func(b, s *Snapshot) {
			s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
			s.Limit, s.QueueBytes, s.Produced = 1<<20, 1<<20, 1456
			b.Geometry, b.QueueBytes, b.Produced = s.Geometry, 1<<20, 1256
			s.Consumer.Blocked = 900 * time.Millisecond
		}},
		{"a producer that was stopped while it slept", Stopped, func(_, s *Snapshot) {
			s.Consumed, s.Produced = 1000, 1000
			s.Producer.State = layout.StateBlocked
			s.Producer.Blocked, s.Consumer.Blocked = time.Second, time.Second
		}},
		{"a producer that sleeps beside a queue that has only just been emptied", ConsumerBound, func(b, s *Snapshot) {
			b.Produced, s.Produced, s.Consumed = 1008, 1008, 1008
			s.Producer.State, s.Producer.Blocked, s.Producer.ProgressAt = layout.StateBlocked, time.Second, s.At
		}},
		{"a producer of a transfer, which sleeps for other reasons than room", Idle, func(b, s *Snapshot) {
			b.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
			s.Geometry, s.Produced, s.Consumed = b.Geometry, 1000, 1000
			s.Producer.State, s.Producer.ProgressAt = layout.StateBlocked, s.At
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := oneSecond(c.change)
			i := Between(&before, &after)
			if got := Judge(&i, &after); got.Kind != c.want || got.Elapsed != i.Elapsed {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

// The mode makes no difference to that: in neither does a consumer that always has
// something left to take wait for anybody.
func TestVerdict_ConsumerDrainsBacklog_ConsumerBound(t *testing.T) {
	for _, c := range []struct {
		name    string
		want    Kind
		cause   Cause
		shrinks bool
		change  func(before, after *Snapshot)
	}{
		{"the producer has gone", ConsumerBound, CauseBacklog, true, func(b, s *Snapshot) {
			s.Produced = b.Produced
			s.Producer = RoleStats{State: layout.StateClosed}
		}},
		{"and the last message was taken", ConsumerBound, CauseBacklog, true, func(b, s *Snapshot) {
			b.Produced, s.Produced = 1200, 1200
			b.Producer, s.Producer = RoleStats{State: layout.StateClosed}, RoleStats{State: layout.StateClosed}
		}},
		{"less comes than it takes", ConsumerBound, CauseBacklog, true, func(_, s *Snapshot) { s.Produced -= 100 }},
		{"as much comes as it takes", ConsumerBound, CauseBacklog, false, func(*Snapshot, *Snapshot) {}},
		{"it has time left", ProducerBound, CauseWaits, false, func(_, s *Snapshot) { s.Consumer.Blocked = 600 * time.Millisecond }},
		{"there is no more left than comes and goes with a batch", Balanced, CauseWaits, false, func(b, s *Snapshot) {
			b.Produced, s.Produced = 1050, 1250
		}},
		{"there is no more left than it takes in a moment", Balanced, CauseWaits, false, func(_, s *Snapshot) {
			s.Produced, s.Consumed = s.Produced+100_000, s.Consumed+100_000
		}},
	} {
		for _, g := range []layout.Geometry{{Mode: layout.ModeRing, Capacity: 1 << 20}, {Mode: layout.ModeTransfer}} {
			before, after := oneSecond(func(b, s *Snapshot) {
				b.Geometry, s.Geometry = g, g
				b.Produced, s.Produced = 1600, 1800 // 600 wait; 200 come, and are taken
				c.change(b, s)
			})
			i := Between(&before, &after)
			if v := Judge(&i, &after); v.Kind != c.want || v.Cause != c.cause || v.Shrinks != c.shrinks || v.Advice != nil {
				t.Errorf("%v, %s: %+v, want %s: %s", g.Mode, c.name, v, c.want, c.cause)
			}
		}
	}
}

// A successor's repair sets a count back by what its predecessor did not live to
// publish, and a side may note progress after the snapshot's clock was read.
func TestVerdict_CountersGoBack_NoNonsense(t *testing.T) {
	before, after := oneSecond(func(b, s *Snapshot) {
		s.Consumed, s.Produced = b.Consumed-10, b.Produced+8
		s.Producer.Waits, b.Producer.Waits = 0, 5
		s.Producer.Blocked, b.Producer.Blocked = 0, time.Second
		s.Consumer.ProgressAt = s.At + 5
	})
	i := Between(&before, &after)
	if i.Consumed != 0 || i.Throughput != 0 || i.ProducerWaits != 0 || i.ProducerBlocked != 0 {
		t.Errorf("%+v", i)
	}
	if v := Judge(&i, &after); v.Kind == Stalled {
		t.Errorf("%+v", v)
	}
}

func TestBlocked_IncludesCurrentSleep(t *testing.T) {
	var h layout.Header
	g, err := layout.RingGeometry(4096, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(50 * time.Second)
	asleepSince := now - uint64(3*time.Second)
	endpoint.BeginSleep(&h.ProducerStats, uint64(2*time.Second), asleepSince)
	for _, alive := range []bool{true, false} {
		endpoint.ContinueSleep(&h.ProducerStats, now-uint64(time.Millisecond))
		if s := Read(&h, g, LiveRoles{Producer: alive}, now); s.Producer.Blocked.Round(time.Second) < 2*time.Second {
			t.Errorf("alive %v: %v", alive, s.Producer.Blocked)
		}
	}
	// Nothing noted for a minute: killed or stopped, which is not being blocked.
	now += uint64(time.Minute)
	for _, alive := range []bool{true, false} {
		if s := Read(&h, g, LiveRoles{Producer: alive}, now); s.Producer.Blocked > 7*time.Second {
			t.Errorf("alive %v, a minute after the last look around: %v", alive, s.Producer.Blocked)
		}
	}
}

func TestQueue_NeverNegativeOrOverfull(t *testing.T) {
	var h layout.Header
	g, err := layout.RingGeometry(4096, 4, 4096)
	if err != nil {
		t.Fatal(err)
	}
	h.Consumer.Count.Store(10)
	h.Consumer.Index.Store(1 << 40)
	h.Consumer.NextIndex.Store(1 << 40)
	s := Read(&h, g, LiveRoles{}, 0)
	h.Producer.Count.Store(10)
	if late := Read(&h, g, LiveRoles{}, 0); late.Depth() != 0 {
		t.Errorf("depth %d", late.Depth())
	}
	h.Producer.Count.Store(1000)
	h.Producer.CountBefore.Store(1000)
	if late := Read(&h, g, LiveRoles{}, 0); late.Depth() != 4 {
		t.Errorf("depth %d with 4 slots", late.Depth())
	}
	if s.Depth() != 0 || s.QueueBytes > 4096 || s.Fill() > 1 {
		t.Errorf("depth %d, bytes %d, fill %v", s.Depth(), s.QueueBytes, s.Fill())
	}
}

// With fixed slots a position is a number of messages, and each takes a whole slot.
func TestQueue_FixedSlots(t *testing.T) {
	var h layout.Header
	g, err := layout.SlotGeometry(24, 0, 5, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	h.Init(g, 0)
	h.Producer.Bytes.Store(99) // as everything else of a cursor but Index, unused
	for _, c := range []struct {
		produced, consumed, depth, bytes uint64
		fill                             float64
	}{
		{0, 0, 0, 0, 0},
		{103, 100, 3, 3 * 24, 0.6},
		{105, 100, 5, 5 * 24, 1},
		{1 << 40, 100, 5, 8 * 24, 1}, // eight slots, of which a producer that keeps to its bound uses five
	} {
		h.Producer.Index.Store(c.produced)
		h.Consumer.Index.Store(c.consumed)
		s := Read(&h, g, LiveRoles{}, 0)
		if s.Depth() != c.depth || s.QueueBytes != c.bytes || s.Fill() != c.fill || s.Produced != c.produced || s.ProducedBytes != 24*c.produced || s.ConsumedBytes != 24*c.consumed {
			t.Errorf("%d produced, %d consumed: depth %d, %d bytes, fill %v, %d and %d bytes of payload", c.produced, c.consumed, s.Depth(), s.QueueBytes, s.Fill(), s.ProducedBytes, s.ConsumedBytes)
		}
	}
	if s := Read(&h, g, LiveRoles{}, 0); s.Memory != 65536+4096 {
		t.Errorf("%d bytes of memory, want a header and a page", s.Memory)
	}
}

func TestQuantile_Values(t *testing.T) {
	var h, empty Histogram
	for us := range uint64(1000) { // 1 to 1000 microseconds, once each
		h.add(time.Duration(us+1) * time.Microsecond)
	}
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
	if d := h.Since(&empty); !reflect.DeepEqual(d, h) {
		t.Errorf("everything happened since, but count %d, max %v", d.Count, d.Max)
	}
}

// It takes less to stay with a verdict than to come to it.
func TestVerdict_PrevailingWaits(t *testing.T) {
	for _, c := range []struct {
		more, less float64
		come, stay bool
	}{
		{0.10, 0.05, true, true},
		{0.09, 0, false, true},
		{0.05, 0, false, true},
		{0.04, 0, false, false},
		{0.30, 0.16, false, true},
		{0.30, 0.21, false, false},
	} {
		if come, stay := waitsForOther(c.more, c.less, false), waitsForOther(c.more, c.less, true); come != c.come || stay != c.stay {
			t.Errorf("%v to %v: comes %v, stays %v; want %v, %v", c.more, c.less, come, stay, c.come, c.stay)
		}
	}
}
