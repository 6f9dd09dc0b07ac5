package pressure

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"sluice/layout"
)

// verdictsOf feeds a Trend with a snapshot each quarter of a second, each made from the
// one before by the next chapter, and returns the verdicts.
func verdictsOf(t *testing.T, chapters ...func(s *Snapshot)) (verdicts []Verdict) {
	t.Helper()
	_, s := oneSecond(func(_, _ *Snapshot) {})
	var trend Trend
	for _, change := range chapters {
		s.At += uint64(250 * time.Millisecond)
		s.Consumer.ProgressAt = s.At
		change(&s)
		_, v := trend.Add(s)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// quarter is a quarter of a second in which both sides slept that long.
func quarter(producer, consumer time.Duration) func(s *Snapshot) {
	return func(s *Snapshot) {
		s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
		s.Producer.Blocked += producer
		s.Consumer.Blocked += consumer
	}
}

func repeat(n int, c func(s *Snapshot)) (all []func(s *Snapshot)) {
	for range n {
		all = append(all, c)
	}
	return all
}

func TestTrend_NewVerdict_NeedsConfirmation(t *testing.T) {
	slow, quick := quarter(240*time.Millisecond, 0), quarter(0, 240*time.Millisecond)
	chapters := append(repeat(8, slow), append(repeat(1, quick), append(repeat(8, slow), repeat(8, quick)...)...)...)
	changes := []int{}
	verdicts := verdictsOf(t, chapters...)
	for i := 2; i < len(verdicts); i++ {
		if verdicts[i].Kind != verdicts[i-1].Kind {
			changes = append(changes, i)
		}
	}
	last := verdicts[len(verdicts)-1]
	if verdicts[7].Kind != ConsumerBound || last.Kind != ProducerBound {
		t.Errorf("first %s, last %s", verdicts[7].Kind, last.Kind)
	}
	// The single quick quarter changes nothing; when it is quick for good, the
	// verdict may pass through balanced, once.
	if len(changes) > 2 || changes[0] <= 17 {
		t.Errorf("the verdict changed at %v", changes)
	}
}

// Around a threshold, a verdict that each second is judged for itself goes to and
// fro.
func TestTrend_VerdictDoesNotFlicker(t *testing.T) {
	var chapters []func(s *Snapshot)
	for range 20 { // 8 % and 12 % in turn, a second each
		chapters = append(chapters, repeat(4, quarter(20*time.Millisecond, 0))...)
		chapters = append(chapters, repeat(4, quarter(30*time.Millisecond, 0))...)
	}
	changes, held := 0, time.Duration(0)
	verdicts := verdictsOf(t, chapters...)
	for i := 8; i < len(verdicts); i++ { // the first seconds are half empty
		if verdicts[i].Kind != verdicts[i-1].Kind {
			changes++
		}
		held = verdicts[i].Held
	}
	if changes > 1 || held < 30*time.Second {
		t.Errorf("%d changes, the last verdict held for %v", changes, held)
	}
}

// A report shows the waits of its interval, and the verdict beside them.
func TestTrend_Verdict_AgreesWithItsInterval(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, g := range []layout.Geometry{{Mode: layout.ModeRing, Capacity: 1 << 20}, {Mode: layout.ModeTransfer}} {
		_, s := oneSecond(func(_, s *Snapshot) { s.Geometry = g })
		var trend Trend
		trend.Add(s)
		for n := range 2000 {
			s.At += uint64(time.Second)
			s.Producer.ProgressAt, s.Consumer.ProgressAt = s.At, s.At
			waits, waited := &s.Producer.Blocked, time.Duration(random.Int64N(int64(time.Second)))
			if random.IntN(2) == 0 {
				waits = &s.Consumer.Blocked
			}
			if random.IntN(3) > 0 {
				*waits += waited
			}
			s.Produced += random.Uint64N(500)
			s.Consumed = min(s.Produced, s.Consumed+random.Uint64N(500))
			i, v := trend.Add(s)
			if v.ProducerBlocked != i.ProducerBlocked || v.ConsumerBlocked != i.ConsumerBlocked || v.Elapsed != i.Elapsed || v.Depth != s.Depth() || v.DepthBefore != i.DepthBefore {
				t.Fatalf("%v, second %d: the verdict has other figures than its interval: %+v, %+v", g.Mode, n, v, i)
			}
			if v.Kind == ConsumerBound && i.ConsumerBlocked > i.ProducerBlocked && i.ConsumerBlocked >= Noticeable ||
				v.Kind == ProducerBound && i.ConsumerBlocked < max(i.ProducerBlocked, Noticeable/2) ||
				v.Kind == Growing && i.DepthGrowth <= 0 {
				t.Fatalf("%v, second %d: %s, but the producer waited %.2f and the consumer %.2f of it, and the queue grew by %d", g.Mode, n, v.Kind, i.ProducerBlocked, i.ConsumerBlocked, i.DepthGrowth)
			}
		}
	}
}

// A queue that is deep at one look, and empty at the next, is not one that its consumer could not
// keep up with.
func TestTrend_DepthOfMoment_NoVerdict(t *testing.T) {
	deep := func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+600, s.Consumed+100 }
	empty := func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+100, s.Produced+100 }
	_, s := oneSecond(func(_, s *Snapshot) {
		s.Geometry, s.Consumed = layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20}, s.Produced
	})
	var trend Trend
	trend.Add(s)
	for n := range 20 {
		s.At += uint64(time.Second)
		s.Consumer.ProgressAt = s.At
		if n < 3 || n%2 == 0 {
			empty(&s)
		} else {
			deep(&s)
		}
		if _, v := trend.Add(s); v.Kind != Balanced || v.Depth != s.Depth() {
			t.Errorf("second %d: %+v", n, v)
		}
	}
	for range minConfirmations {
		s.At += uint64(time.Second)
		s.Consumer.ProgressAt = s.At
		deep(&s)
		_, v := trend.Add(s)
		if s.Depth() > 1000 && v.Kind != ConsumerBound {
			t.Errorf("%+v", v)
		}
	}
}

func TestTrend_Presence_Immediate(t *testing.T) {
	gone := func(s *Snapshot) { s.Consumer.Alive, s.Produced = false, s.Produced+8 }
	verdicts := verdictsOf(t, append(repeat(8, quarter(0, 0)), gone, func(s *Snapshot) { s.Consumer.Alive = true; quarter(0, 0)(s) })...)
	if v := verdicts[8]; v.Kind != NoConsumer || v.Held != 0 {
		t.Errorf("%+v", v)
	}
	if v := verdicts[9]; v.Kind == NoConsumer {
		t.Errorf("%+v", v)
	}
}

// A producer that starts first waits until a consumer is there. That says nothing about how fast
// the consumer is, unless it never sleeps.
func TestJudge_ConsumerThatCameLate(t *testing.T) {
	for _, c := range []struct {
		name               string
		producer, consumer time.Duration // how long each slept
		kind               Kind
		cause              Cause
		advice             []AdviceKind
	}{
		{"the producer waited more", 600 * time.Millisecond, 290 * time.Millisecond, Balanced, CauseLate, []AdviceKind{AdviceKeepConsumer}},
		{"the consumer waited more", 220 * time.Millisecond, 690 * time.Millisecond, ProducerBound, CauseLate, []AdviceKind{AdviceKeepConsumer}},
		{"the consumer did not sleep", 900 * time.Millisecond, 0, ConsumerBound, CauseWaits, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}},
		{"the producer did not sleep", 0, 290 * time.Millisecond, ProducerBound, CauseWaits, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := oneSecond(func(b, s *Snapshot) {
				b.Consumer.Alive = false
				s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = c.producer, 1, c.consumer
			})
			i := Between(&before, &after)
			if v := Judge(&i, &after); v.Kind != c.kind || v.Cause != c.cause || v.Missed != 0 || !slices.Equal(kinds(&v), c.advice) {
				t.Errorf("%+v, want %s, %s and %v", v, c.kind, c.cause, c.advice)
			}
		})
	}
}

// How many messages had no room is known only when the consumer paused and is the faster side
// all the same. A number that a second run would refute is none.
func TestTrend_Bursts(t *testing.T) {
	for _, c := range []struct {
		name   string
		cause  Cause
		missed uint64
		advice []AdviceKind
		change func(before, after *Snapshot)
	}{
		// 920 in 0.92 s, and as many a second in the 80 ms that it had to wait.
		{"a pause", CauseBursts, 80, []AdviceKind{AdviceMoreCapacity}, func(b, s *Snapshot) {
			s.Consumed, s.Produced = b.Consumed+920, b.Produced+920
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 80*time.Millisecond, 1, 500*time.Millisecond
		}},
		{"many short waits", CauseBursts, 0, []AdviceKind{AdviceMoreCapacity}, func(b, s *Snapshot) {
			s.Consumed, s.Produced = b.Consumed+1000, b.Produced+1000
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 80*time.Millisecond, 10, 500*time.Millisecond
		}},
		{"a consumer that is busy all the time", CauseWaits, 0, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}, func(b, s *Snapshot) {
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 400*time.Millisecond, 10, 50*time.Millisecond
		}},
		{"a consumer that is no faster than the producer", CauseWaits, 0, nil, func(b, s *Snapshot) {
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 300*time.Millisecond, 2, 300*time.Millisecond
		}},
		{"a pause of most of the time", CauseBursts, 0, []AdviceKind{AdviceMoreCapacity}, func(b, s *Snapshot) {
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 600*time.Millisecond, 1, 700*time.Millisecond
		}},
		// Two minutes of ease and two of overload are no pause of two minutes.
		{"a whole run", CauseBursts, 0, []AdviceKind{AdviceMoreCapacity}, func(b, s *Snapshot) {
			s.At = b.At + uint64(4*time.Minute)
			s.Consumed, s.Produced, s.Consumer.ProgressAt = b.Consumed+100_000, b.Produced+100_008, s.At
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = time.Minute, 100, 2*time.Minute
		}},
		{"no waits", CauseWaits, 0, nil, func(b, s *Snapshot) { s.Consumer.Blocked = 500 * time.Millisecond }},
		{"a wait that began before", CauseWaits, 0, nil, func(b, s *Snapshot) {
			s.Producer.Blocked, s.Consumer.Blocked = 80*time.Millisecond, 500*time.Millisecond
		}},
		{"transfer", CauseWaits, 0, nil, func(b, s *Snapshot) {
			b.Geometry, s.Geometry = layout.Geometry{Mode: layout.ModeTransfer}, layout.Geometry{Mode: layout.ModeTransfer}
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 40*time.Millisecond, 1, 60*time.Millisecond
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := oneSecond(c.change)
			i := Between(&before, &after)
			v := Judge(&i, &after)
			if v.Cause != c.cause || !slices.Equal(kinds(&v), c.advice) || v.Missed != c.missed {
				t.Errorf("%+v, want %s, %d missed and %v", v, c.cause, c.missed, c.advice)
			}
			if c.cause == CauseBursts && (v.Advice[0].Messages != c.missed || v.ProducerBlocked != i.ProducerBlocked || v.BothRan != i.Elapsed) {
				t.Errorf("%+v", v)
			}
		})
	}
}

// Whoever looks twice only is told what came in between.
func TestTrend_TwoSnapshots(t *testing.T) {
	before, after := oneSecond(func(_, s *Snapshot) { s.Producer.Blocked, s.Produced = 900*time.Millisecond, 1208 })
	before.Produced = 1300 // deep enough for a verdict of its own
	var trend Trend
	trend.Add(before)
	if _, v := trend.Add(after); v.Kind != ConsumerBound || v.Held != 0 {
		t.Errorf("%+v", v)
	}
	quiet, busy := growingTransfer(func(b, s *Snapshot) { b.Produced, s.Produced = 1500, 2500 })
	trend = Trend{}
	trend.Add(quiet)
	if _, v := trend.Add(busy); v.Kind != Growing {
		t.Errorf("%+v", v)
	}
}

// Each side keeps a Trend for as long as it runs, also when nothing happens: a snapshot then costs
// what its counters are, and not its three histograms.
func TestTrend_NothingHappens_LittleMemory(t *testing.T) {
	h := new(layout.Header)
	var trend Trend
	add := func(second int) { trend.Add(Read(h, oneRing, LiveRoles{}, uint64(second)*uint64(time.Second))) }
	const seconds, most = 100, 8 << 10 // bytes a second
	for second := range 10 {
		add(second)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for second := range seconds {
		add(10 + second)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / seconds; each > most {
		t.Errorf("%d bytes for each snapshot, want %d at most", each, most)
	}
}
