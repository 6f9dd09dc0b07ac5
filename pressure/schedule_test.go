package pressure

import (
	"slices"
	"testing"
	"time"

	"sluice/layout"
)

// openLoop is a second of a ring of 8 slots, in which due messages were due, of which what
// oneSecond produces was sent; backlog waited before it.
func openLoop(due, backlog uint64, change func(before, after *Snapshot)) (before, after Snapshot) {
	return oneSecond(func(b, s *Snapshot) {
		change(b, s)
		sent := s.Produced - b.Produced + s.Dropped - b.Dropped
		b.Schedule = Schedule{InForce: true, Holder: 1, Base: 1, Rate: float64(due), Unsent: backlog}
		s.Schedule = b.Schedule
		s.Schedule.Unsent = backlog + due - min(sent, due)
		b.Unsent, s.Unsent = b.Unsent+b.Schedule.Unsent, s.Unsent+s.Schedule.Unsent
	})
}

func TestJudge_WhatWaitsInFrontOfTheProducer(t *testing.T) {
	full := func(_, s *Snapshot) {
		s.Produced, s.Producer.Blocked, s.Producer.Waits = s.Produced+8, 800*time.Millisecond, 200
	}
	speedUp := []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}
	for _, c := range []struct {
		name         string
		due, backlog uint64
		want         Kind
		cause        Cause
		advice       []AdviceKind
		waiting      uint64
		grows        bool
		change       func(before, after *Snapshot)
	}{
		{"more is due than a slow consumer takes", 1000, 0, ConsumerBound, CauseWaits, []AdviceKind{AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceKeepCapacity}, 792, true, full},
		{"a backlog that does not grow", 208, 500, ConsumerBound, CauseWaits, speedUp, 500, false, full},
		{"a few messages between two publishes", 215, 0, ConsumerBound, CauseWaits, speedUp, 0, false, full},
		{"what is due in less than 10 ms", 100_200, 900, ConsumerBound, CauseWaits, speedUp, 0, false, func(b, s *Snapshot) { full(b, s); s.Produced += 99_992; s.Consumed += 99_992 }},
		{"more is due than the producer can make", 1000, 0, ProducerBound, CauseSchedule, []AdviceKind{AdviceSlowProducer}, 800, true,
			func(_, s *Snapshot) { s.Consumer.Blocked = 600 * time.Millisecond }},
		{"and no side sleeps", 1000, 0, ProducerBound, CauseSchedule, []AdviceKind{AdviceSlowProducer}, 800, true, func(*Snapshot, *Snapshot) {}},
		{"and messages wait in the queue as well, which does not grow", 1000, 0, ProducerBound, CauseSchedule, []AdviceKind{AdviceSlowProducer}, 800, true, func(b, s *Snapshot) {
			b.Geometry.Slots, s.Geometry.Slots = 0, 0
			b.Produced, s.Produced = 1600, 1800
		}},
		{"a pause of the consumer, in which a little more became due", 250, 0, ProducerBound, CauseBursts, []AdviceKind{AdviceMoreCapacity}, 18, true,
			func(_, s *Snapshot) {
				s.Produced, s.Producer.Blocked, s.Producer.Waits = s.Produced+32, 80*time.Millisecond, 1
				s.Consumed, s.Consumer.Blocked = s.Consumed+32, 200*time.Millisecond
			}},
		{"both sides wait in turn, and it is not enough", 1000, 0, Balanced, CauseWaits, []AdviceKind{AdviceSlowProducer}, 800, true,
			func(_, s *Snapshot) {
				s.Producer.Blocked, s.Consumer.Blocked = 400*time.Millisecond, 300*time.Millisecond
			}},
		{"a ring that drops what has no room", 1000, 0, ConsumerBound, CauseOverflow, speedUp, 0, false, func(_, s *Snapshot) { s.Dropped = 800 }},
		{"a consumer that is not there", 1000, 0, NoConsumer, CauseBlocked, []AdviceKind{AdviceStartConsumer}, 992, true, func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed, s.Produced = RoleStats{}, RoleStats{}, 1000, 1008
			s.Producer.State = layout.StateAlone
		}},
		{"a producer that died with a schedule", 1000, 0, NoProducer, "", []AdviceKind{AdviceStartProducer, AdviceStopConsumer}, 0, true, func(_, s *Snapshot) {
			s.Producer, s.Produced, s.Consumed = RoleStats{Generation: 1, State: layout.StateRunning}, 1000, 1000
		}},
	} {
		before, after := openLoop(c.due, c.backlog, c.change)
		i := Between(&before, &after)
		v := Judge(&i, &after)
		if v.Kind != c.want || v.Cause != c.cause || !slices.Equal(kinds(&v), c.advice) || v.Waiting != c.waiting || v.WaitingGrows != c.grows || !v.Scheduled || v.Missed != 0 {
			t.Errorf("%s: %+v, want %s: %s, %v, %d waiting, grows %v", c.name, v, c.want, c.cause, c.advice, c.waiting, c.grows)
		}
		if want := i.Produced + i.Dropped + uint64(i.UnsentGrowth); i.Offered != want {
			t.Errorf("%s: offered %d, want %d", c.name, i.Offered, want)
		}
		if wantLost := v.Kind == NoProducer; (v.NotSent > 0) != wantLost || wantLost && v.NotSent != 1000 {
			t.Errorf("%s: %d not sent", c.name, v.NotSent)
		}
	}
}

// A consumer that pauses for a second holds back what is due in it, and then all of it is sent:
// nothing is missed, and the verdict on the whole run knows how many waited.
func TestWhole_PauseOfTheConsumer_OpenLoop(t *testing.T) {
	for _, rest := range []uint64{0, 300} { // what is left of the schedule in the end
		before, s := openLoop(1000, 0, func(_, s *Snapshot) { s.Produced, s.Consumed = 2000, 2000 })
		var trend Trend
		trend.Add(before)
		trend.Add(s)
		second := func(produced, consumed uint64, change func()) {
			s.At += uint64(time.Second)
			s.Produced, s.Consumed = s.Produced+produced, s.Consumed+consumed
			s.Schedule.Unsent += 1000 - produced
			s.Unsent += 1000 - produced
			s.Consumer.ProgressAt = s.At
			change()
			trend.Add(s)
		}
		second(8, 0, func() { s.Consumer.Stopped = true; s.Producer.Blocked += time.Second; s.Producer.Waits++ })
		second(1992-rest, 2000-rest, func() { s.Consumer.Stopped = false })
		second(1000, 1000, func() {})
		second(1000, 1000, func() { // the producer ends
			s.Schedule.InForce, s.Schedule.Holder, s.Schedule.Unsent = false, 0, 0
			s.Response.add(0)
		})
		i, v := trend.Whole(layout.Producer)
		if v.Cause != CauseStopped || v.Kind != ConsumerBound || v.MostWaiting != 992 || v.Missed != 0 || v.NotSent != rest || v.Waiting != 0 || !v.Scheduled {
			t.Errorf("%+v", v)
		}
		if i.Offered != 5000 || i.UnsentGrowth != int64(rest) || i.NotSent != rest {
			t.Errorf("offered %d, unsent %d, not sent %d", i.Offered, i.UnsentGrowth, i.NotSent)
		}
	}
}

func TestLatenessExplains(t *testing.T) {
	of := func(times ...time.Duration) (h Histogram) {
		for _, d := range times {
			h.add(d)
		}
		return h
	}
	ms := time.Millisecond
	for _, c := range []struct {
		name               string
		response, lateness Histogram
		want               []float64
	}{
		{"nothing was measured", of(), of(), nil},
		{"no lateness was measured", of(ms), of(), nil},
		{"no response was measured", of(), of(ms), nil},
		{"a third of it", of(9*ms, 9*ms), of(3*ms, 3*ms), nil},
		{"most of it", of(9*ms, 9*ms), of(6*ms, 6*ms), []float64{0.5, 0.9, 0.99, 0.999}},
		{"the median only", of(9*ms, 9*ms, 99*ms), of(8*ms, 8*ms, 9*ms), []float64{0.5}},
		{"the tail only", of(9*ms, 9*ms, 99*ms), of(ms, ms, 88*ms), []float64{0.9, 0.99, 0.999}},
	} {
		i := Interval{Response: c.response, Lateness: c.lateness}
		if got := i.LatenessExplains(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
