package pressure

import (
	"slices"
	"testing"
	"time"

	"sluice/layout"
)

// A transfer that waits at its limit, or drops messages there, holds its producer back or sheds
// what it cannot hold, as a ring does: it is judged as one.
func TestCredit_JudgedAsABoundedQueue(t *testing.T) {
	const limit = 100 << 20
	for _, c := range []struct {
		name   string
		policy layout.Policy
		want   Kind
		cause  Cause
		advice []AdviceKind
		left   time.Duration // until the queue is full
		change func(before, after *Snapshot)
	}{
		{"it fills", layout.PolicyBlock, ConsumerBound, CauseFills, []AdviceKind{AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceKeepCapacity}, 8 * time.Second, func(_, s *Snapshot) {}},
		{"it fills, and will drop", layout.PolicyDrop, ConsumerBound, CauseFills, []AdviceKind{AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceKeepCapacity}, 8 * time.Second, func(_, s *Snapshot) {}},
		{"it fills, and will fail", layout.PolicyFail, Growing, CauseFills, []AdviceKind{AdviceSlowProducer, AdviceSpeedUpConsumer, AdviceRingMode}, 8 * time.Second, func(_, s *Snapshot) {}},
		// Between the mark and the limit it becomes deeper and less deep all the time.
		{"it is deeper than a second ago, and the producer is blocked", layout.PolicyBlock, ConsumerBound, CauseWaits, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}, 0, func(_, s *Snapshot) {
			s.QueueBytes, s.Producer.Blocked, s.Producer.Waits = limit/4*3, 900*time.Millisecond, 10
		}},
		{"it is at the limit, and nobody sleeps", layout.PolicyBlock, ConsumerBound, CauseFull, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}, 0, func(b, s *Snapshot) {
			b.QueueBytes, s.QueueBytes, b.Produced = limit, limit, 1900
		}},
		{"it is at the limit in bursts", layout.PolicyBlock, ProducerBound, CauseBursts, []AdviceKind{AdviceMoreCapacity}, 0, func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.QueueBytes = 1200, 1200, 0
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = 80*time.Millisecond, 1, 500*time.Millisecond
		}},
		{"it drops", layout.PolicyDrop, ConsumerBound, CauseOverflow, []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}, 0, func(b, s *Snapshot) {
			b.QueueBytes, s.QueueBytes, b.Produced, s.Dropped = limit, limit, 1900, 50
		}},
		{"it is at the limit without a consumer", layout.PolicyBlock, NoConsumer, CauseBlocked, []AdviceKind{AdviceStartConsumer}, 0, func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed = RoleStats{}, RoleStats{}, 1000
			b.QueueBytes, s.QueueBytes, s.Producer.State = limit, limit, layout.StateAlone
		}},
		{"its producer sleeps beside an empty queue", layout.PolicyBlock, Stopped, CauseAsleep, []AdviceKind{AdviceContinue}, 0, func(b, s *Snapshot) {
			s.Produced, s.Consumed, s.QueueBytes = 1000, 1000, 0
			s.Producer.State, s.Producer.ProgressAt = layout.StateBlocked, s.At
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := growingTransfer(func(b, s *Snapshot) {
				b.OnFull, s.OnFull = c.policy, c.policy
				c.change(b, s)
			})
			i := Between(&before, &after)
			v := Judge(&i, &after)
			if v.Kind != c.want || v.Cause != c.cause || !slices.Equal(kinds(&v), c.advice) || v.FullIn.Round(time.Second) != c.left || v.OnFull != c.policy {
				t.Errorf("%s, %s, %v, full in %v, policy %v; want %s, %s, %v and %v", v.Kind, v.Cause, kinds(&v), v.FullIn, v.OnFull, c.want, c.cause, c.advice, c.left)
			}
			if v.LimitReached {
				t.Error("the limit ends nothing")
			}
		})
	}
}

// At the end of a run that was blocked for most of the time, its limit is not what ended it.
func TestCredit_WholeRun_Blocked(t *testing.T) {
	var trend Trend
	_, s := growingTransfer(func(b, s *Snapshot) { b.OnFull, s.OnFull = layout.PolicyBlock, layout.PolicyBlock })
	for range 10 {
		trend.Add(s)
		s.At += uint64(time.Second)
		s.Produced, s.Consumed = s.Produced+300, s.Consumed+300
		s.Producer.Blocked += 900 * time.Millisecond
		s.Producer.Waits += 30
		s.Consumer.ProgressAt = s.At
	}
	if _, v := trend.Whole(layout.Producer); v.Kind != ConsumerBound || v.Cause != CauseBehind || v.Advises(AdviceRaiseLimit) {
		t.Errorf("%s, %s, %v", v.Kind, v.Cause, kinds(&v))
	}
}
