package pressure

import (
	"slices"
	"testing"
	"time"

	"sluice/layout"
)

// Each row says what a verdict is concluded from, what it advises, and what its figures are.
func TestJudge_CausesAndAdvice(t *testing.T) {
	transfer := func(b, s *Snapshot) {
		for _, at := range []*Snapshot{b, s} {
			at.Geometry, at.Limit = layout.Geometry{Mode: layout.ModeTransfer}, 1<<20
		}
	}
	any := func(*Verdict) bool { return true }
	speedUp := []AdviceKind{AdviceSpeedUpConsumer, AdviceKeepCapacity}
	atLimit := []AdviceKind{AdviceSpeedUpConsumer, AdviceSlowProducer, AdviceRaiseLimit, AdviceRingMode}
	grows := []AdviceKind{AdviceSlowProducer, AdviceSpeedUpConsumer, AdviceRingMode}
	for _, c := range []struct {
		name    string
		want    Kind
		cause   Cause
		advice  []AdviceKind
		figures func(v *Verdict) bool
		change  func(before, after *Snapshot)
	}{
		{"a ring that drops", ConsumerBound, CauseOverflow, speedUp, func(v *Verdict) bool { return v.Dropped == 50 && v.Offered == 250 },
			func(_, s *Snapshot) { s.Dropped = 50 }},
		{"a ring that drops in bursts", ConsumerBound, CauseOverflow, []AdviceKind{AdviceMoreCapacity}, func(v *Verdict) bool { return v.Dropped == 50 && v.ConsumerBlocked == 0.4 && v.ConsumerStayed },
			func(_, s *Snapshot) { s.Dropped, s.Consumer.Blocked = 50, 400*time.Millisecond }},
		{"a ring that is full, whose consumer is busy", ConsumerBound, CauseFull, speedUp, func(v *Verdict) bool { return v.Fill == 1 && v.Depth == 8 }, func(_, s *Snapshot) { s.Produced = 1208 }},
		{"a ring that fills at times, whose consumer has some time", ConsumerBound, CauseWaits, []AdviceKind{AdviceSpeedUpConsumer, AdviceMoreCapacity}, func(v *Verdict) bool { return v.ProducerBlocked == 0.3 && v.ConsumerBlocked == 0.12 },
			func(_, s *Snapshot) {
				s.Producer.Blocked, s.Consumer.Blocked = 300*time.Millisecond, 120*time.Millisecond
			}},
		{"a moment", Balanced, CauseTooShort, nil, any, func(b, s *Snapshot) { s.At = b.At + uint64(5*time.Millisecond) }},
		{"a moment, and a wait in it", ProducerBound, CauseWaits, nil, func(v *Verdict) bool { return v.ProducerBlocked == 0.2 && v.ConsumerBlocked == 0.8 }, func(b, s *Snapshot) {
			s.At = b.At + uint64(5*time.Millisecond)
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = time.Millisecond, 1, 4*time.Millisecond
		}},
		{"a little more than a moment", Balanced, CauseWaits, nil, any, func(b, s *Snapshot) { s.At = b.At + uint64(20*time.Millisecond) }},
		{"a deep queue of a transfer, whose consumer has time", ProducerBound, CauseWaits, nil, func(v *Verdict) bool { return v.ConsumerBlocked == 0.3 && v.Depth == 200 && v.DepthBefore == 200 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced, s.Consumer.Blocked = 1200, 1400, 300*time.Millisecond
		}},
		{"a deep queue of a transfer, whose consumer has none", ConsumerBound, CauseBacklog, nil, func(v *Verdict) bool { return !v.Shrinks && v.Depth == 200 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced = 1200, 1400
		}},
		{"a deep queue of a transfer that gets shorter", ConsumerBound, CauseBacklog, nil, func(v *Verdict) bool { return v.Shrinks && v.Depth == 100 && v.DepthBefore == 1000 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced, s.Consumed = 2000, 2100, 2000
		}},
		{"a transfer at its limit", ConsumerBound, CauseLimit, atLimit, func(v *Verdict) bool {
			return v.LimitReached && v.Limit == 1<<20 && v.ConsumedPerSec == 200 && !v.Grows
		}, func(b, s *Snapshot) {
			transfer(b, s)
			s.RefuseReason, s.Produced, s.QueueBytes = layout.RefuseMemoryLimit, 1400, 1<<20
		}},
		{"a transfer at its limit, whose consumer has time", ConsumerBound, CauseLimit, []AdviceKind{AdviceRaiseLimit, AdviceSlowProducer, AdviceRingMode}, func(v *Verdict) bool {
			return v.LimitReached && v.ConsumerBlocked == 0.4
		}, func(b, s *Snapshot) {
			transfer(b, s)
			s.RefuseReason, s.Produced, s.QueueBytes, s.Consumer.Blocked = layout.RefuseMemoryLimit, 1400, 1<<20, 400*time.Millisecond
		}},
		{"a transfer at its limit that nobody receives from", NoConsumer, CauseLimit, []AdviceKind{AdviceStartConsumer}, func(v *Verdict) bool { return v.LimitReached && v.Advice[0].Messages == 200 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed = RoleStats{}, RoleStats{}, 1000
			s.RefuseReason, s.QueueBytes = layout.RefuseMemoryLimit, 1<<20
		}},
		{"a ring that nobody receives from", NoConsumer, CauseBlocked, []AdviceKind{AdviceStartConsumer}, func(v *Verdict) bool { return v.Depth == 8 && v.Advice[0].Messages == 8 }, func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed, s.Produced = RoleStats{}, RoleStats{}, 1000, 1008
			s.Producer.State = layout.StateAlone
		}},
		{"a transfer that nobody receives from", NoConsumer, CauseQueues, []AdviceKind{AdviceStartConsumer}, func(v *Verdict) bool { return v.Depth == 200 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed = RoleStats{}, RoleStats{}, 1000
		}},
		{"a transfer that nobody receives from, whose producer has sent everything", NoConsumer, CauseDelivering, []AdviceKind{AdviceStartConsumer}, func(v *Verdict) bool { return v.Depth == 200 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed, s.Producer.End = RoleStats{}, RoleStats{}, 1000, layout.EndComplete
		}},
		{"a transfer whose consumer has left, and whose producer has sent everything since", NoConsumer, CauseEndUntold, []AdviceKind{AdviceStartConsumer}, func(v *Verdict) bool { return v.Depth == 0 && v.Advice[0].Messages == 0 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer = RoleStats{Generation: 1, State: layout.StateClosed}
			s.Consumer, s.Produced, s.Consumed, s.Producer.End = b.Consumer, 1000, 1000, layout.EndComplete
			b.Produced, b.Consumed, s.Producer.Generation = 1000, 1000, 1
		}},
		{"a dead transfer", NoProducer, CauseNobody, []AdviceKind{AdviceStartProducer}, func(v *Verdict) bool { return v.Depth == 200 && v.Lost == 0 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed, s.Producer.Alive = RoleStats{}, RoleStats{}, 1000, false
		}},
		{"a transfer that has ended", NoProducer, "", []AdviceKind{AdviceStartProducer}, func(v *Verdict) bool { return v.LastProducer == EndComplete && v.Depth == 0 && v.Lost == 0 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Producer, b.Consumer = RoleStats{Generation: 1, State: layout.StateClosed}, RoleStats{Generation: 1, State: layout.StateClosed}
			s.Producer, s.Consumer, s.Produced, s.Consumed = b.Producer, b.Consumer, 1000, 1000
		}},
		{"nobody", NoProducer, "", []AdviceKind{AdviceStartProducer}, func(v *Verdict) bool { return v.LastProducer == "" && v.Depth == 0 }, func(b, s *Snapshot) {
			b.Producer, b.Consumer = RoleStats{}, RoleStats{State: layout.StateClosed}
			s.Producer, s.Consumer, s.Produced, s.Consumed = b.Producer, b.Consumer, 1000, 1000
		}},
		{"a transfer whose producer died", NoProducer, CauseUndelivered, []AdviceKind{AdviceStartProducer, AdviceStopConsumer}, func(v *Verdict) bool { return v.Depth == 402 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced, s.Producer.Alive = 1602, 1602, false
		}},
		{"sides with different sockets", Unconnected, CauseSockets, []AdviceKind{AdviceSameSocket}, func(v *Verdict) bool { return v.ProducerSocket == "/a/s" && v.ConsumerSocket == "/b/s" }, func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/b/s"
		}},
		{"sides with different sockets, looked at for a moment", Growing, CauseFills, grows, any, func(b, s *Snapshot) {
			transfer(b, s)
			s.At = b.At + uint64(50*time.Millisecond)
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/b/s"
		}},
		{"sides with different sockets at the limit, looked at for a moment", Unconnected, CauseSockets, []AdviceKind{AdviceSameSocket}, func(v *Verdict) bool { return v.LimitReached }, func(b, s *Snapshot) {
			transfer(b, s)
			s.At, s.RefuseReason = b.At+uint64(50*time.Millisecond), layout.RefuseMemoryLimit
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/b/s"
		}},
		{"two paths, perhaps to one socket, and nothing to send", Idle, "", nil, any, func(b, s *Snapshot) {
			transfer(b, s)
			s.Produced, s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, 1000, "/a/s", "/b/s"
		}},
		{"a producer that has not said where it connects to", Growing, CauseFills, grows, func(v *Verdict) bool { return v.ConsumedPerSec == 0 }, func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumed, s.Consumer.Socket = 1000, "/b/s"
		}},
		{"two paths to one socket", Growing, CauseFills, grows, func(v *Verdict) bool { return v.ProducedPerSec == 300 && v.ConsumedPerSec == 100 }, func(b, s *Snapshot) {
			transfer(b, s)
			s.Produced, s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1300, 1100, "/a/s", "/b/s"
		}},
		{"a socket that is gone", Unconnected, CauseNoSocket, []AdviceKind{AdviceRestartConsumer, AdviceSameSocket}, func(v *Verdict) bool { return v.ProducerSocket == "/a/s" }, func(b, s *Snapshot) {
			transfer(b, s)
			b.RefuseReason, s.RefuseReason = layout.RefuseNoConsumer, layout.RefuseNoConsumer
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/a/s"
		}},
		{"a producer without descriptors", Unconnected, CauseNoDescriptor, []AdviceKind{AdviceMoreDescriptors}, any, func(b, s *Snapshot) {
			transfer(b, s)
			b.RefuseReason, s.RefuseReason = layout.RefuseNoConnectionDescriptor, layout.RefuseNoConnectionDescriptor
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/a/s"
		}},
		{"a consumer that has only just come", Growing, CauseFills, grows, func(v *Verdict) bool { return v.ConsumedPerSec == 0 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer.Alive, s.Consumed, s.Producer.Socket, s.Consumer.Socket = false, 1000, "/a/s", "/b/s"
		}},
		{"a process of another pid namespace", Stopped, CauseNoProgress, []AdviceKind{AdviceContinue}, func(v *Verdict) bool {
			return v.Role == layout.Consumer && v.PID == 7 && v.OtherPIDNamespace && v.NoProgressFor == 3*time.Second && v.Advice[0].PID == 0
		}, func(_, s *Snapshot) {
			s.Consumer.PID, s.Consumer.OtherPIDNamespace, s.Consumer.State, s.Consumer.ProgressAt = 7, true, layout.StateBlocked, s.At-uint64(3*time.Second)
		}},
		{"a side with another clock", Idle, "", nil, any, func(_, s *Snapshot) {
			s.Consumer.OtherClock, s.Consumer.State, s.Consumer.ProgressAt = true, layout.StateBlocked, s.At-uint64(time.Hour)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a producer that was stopped early", NoProducer, "", []AdviceKind{AdviceStartProducer, AdviceStopConsumer}, func(v *Verdict) bool { return v.LastProducer == EndStopped }, func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Producer = 1000, 1000, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndStopped}
		}},
		{"a producer that failed", NoProducer, "", []AdviceKind{AdviceStartProducer, AdviceStopConsumer}, func(v *Verdict) bool { return v.LastProducer == EndFailed }, func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Producer = 1000, 1000, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndFailed}
		}},
		{"a producer that died", NoProducer, "", []AdviceKind{AdviceStartProducer, AdviceStopConsumer}, func(v *Verdict) bool { return v.LastProducer == EndDied }, func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Producer = 1000, 1000, RoleStats{Generation: 1, State: layout.StateRunning}
		}},
		{"a transfer's producer that died, and what it had queued is written off", NoProducer, "", []AdviceKind{AdviceStartProducer, AdviceStopConsumer}, func(v *Verdict) bool { return v.LastProducer == EndDied && v.Lost == 402 && v.Depth == 0 }, func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, b.Lost, s.Produced, s.Consumed, s.Lost, s.Producer = 1402, 402, 1402, 1000, 402, RoleStats{Generation: 1, State: layout.StateRunning}
		}},
		{"a stopped consumer", Stopped, CauseSignal, []AdviceKind{AdviceContinue}, func(v *Verdict) bool {
			return v.Role == layout.Consumer && v.PID == 7 && v.Advice[0].PID == 7 && !v.Grows
		}, func(_, s *Snapshot) {
			s.Consumer.PID, s.Consumer.Stopped, s.Consumed = 7, true, 1000
		}},
		{"a stopped consumer of a transfer", Stopped, CauseSignal, []AdviceKind{AdviceContinue}, func(v *Verdict) bool { return v.Grows && v.FullIn == time.Second && !v.LimitReached }, func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumer.Stopped, s.Consumed, s.QueueBytes = true, 1000, 1<<19
		}},
		{"a stopped consumer of a transfer that is at its limit", Stopped, CauseSignal, []AdviceKind{AdviceContinue}, func(v *Verdict) bool { return v.LimitReached && v.Limit == 1<<20 && !v.Grows }, func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumer.Stopped, s.Consumed, s.QueueBytes, s.RefuseReason = true, 1000, 1<<20, layout.RefuseMemoryLimit
		}},
		{"a stopped producer", Stopped, CauseSignal, []AdviceKind{AdviceContinue}, func(v *Verdict) bool { return v.Role == layout.Producer && v.PID == 7 && v.Advice[0].PID == 7 }, func(_, s *Snapshot) {
			s.Producer.PID, s.Producer.Stopped, s.Produced, s.Consumed = 7, true, 1000, 1000
		}},
		{"a consumer that sleeps beside a full queue", Stopped, CauseAsleep, []AdviceKind{AdviceContinue}, func(v *Verdict) bool { return v.Role == layout.Consumer && v.NoProgressFor == 0 }, func(b, s *Snapshot) {
			b.Produced, s.Consumed, s.Produced = 1008, 1000, 1008
			s.Consumer.State = layout.StateBlocked
		}},
		{"a side that sleeps and does not look around", Stopped, CauseNoProgress, []AdviceKind{AdviceContinue}, func(v *Verdict) bool { return v.NoProgressFor == 3*time.Second }, func(_, s *Snapshot) {
			s.Consumer.State, s.Consumer.ProgressAt = layout.StateBlocked, s.At-uint64(3*time.Second)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a side that waits for nobody in particular and does not look around", Stopped, CauseNoProgress, []AdviceKind{AdviceContinue}, func(v *Verdict) bool { return v.NoProgressFor == 3*time.Second }, func(_, s *Snapshot) {
			s.Consumer.State, s.Consumer.ProgressAt = layout.StateAlone, s.At-uint64(3*time.Second)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a side that does not look around, and runs", Idle, "", nil, any, func(_, s *Snapshot) {
			s.Consumer.State, s.Consumer.ProgressAt, s.Consumer.Running = layout.StateBlocked, s.At-uint64(3*time.Second), true
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a side that works and notes nothing", Idle, "", nil, any, func(_, s *Snapshot) {
			s.Producer.ProgressAt = s.At - uint64(time.Minute)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a stalled consumer of a ring that drops", Stalled, CauseNoProgress, []AdviceKind{AdviceInspectConsumer}, func(v *Verdict) bool {
			return v.Role == layout.Consumer && v.NoProgressFor == 10*time.Second && v.Dropped == 200 && v.Offered == 208 && v.LastProducer == ""
		}, func(b, s *Snapshot) {
			s.Consumed, s.Produced, s.Dropped, s.Consumer.ProgressAt = 1000, 1008, 200, s.At-uint64(10*time.Second)
		}},
		{"a stalled consumer of what a producer that died has left", Stalled, CauseNoProgress, []AdviceKind{AdviceInspectConsumer}, func(v *Verdict) bool { return v.LastProducer == EndDied && v.Dropped == 0 }, func(b, s *Snapshot) {
			s.Producer = RoleStats{Generation: 1, State: layout.StateRunning}
			b.Produced, s.Consumed, s.Consumer.ProgressAt = 1200, 1000, s.At-uint64(10*time.Second)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := oneSecond(c.change)
			i := Between(&before, &after)
			v := Judge(&i, &after)
			if v.Kind != c.want || v.Cause != c.cause || !slices.Equal(kinds(&v), c.advice) || v.Whole {
				t.Errorf("%+v, want %s: %s, and %v", v, c.want, c.cause, c.advice)
			}
			if v.Mode != after.Geometry.Mode || v.Elapsed != i.Elapsed || v.BothRan != i.Elapsed || !c.figures(&v) {
				t.Errorf("figures: %+v", v)
			}
		})
	}
}

// judgeRun feeds a Trend with a snapshot a second, each made from the one before by the next
// chapter, and returns the verdict on all of it for the process with role r.
func judgeRun(r layout.Role, first func(s *Snapshot), chapters ...func(s *Snapshot)) Verdict {
	_, s := oneSecond(func(_, _ *Snapshot) {})
	s.Produced, s.Consumed = 1000, 1000
	first(&s)
	var trend Trend
	trend.Add(s)
	for _, change := range chapters {
		was := s
		s.At += uint64(time.Second)
		s.Producer.ProgressAt, s.Consumer.ProgressAt = s.At, s.At
		change(&s)
		for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
			if side := s.side(r); side.Stopped {
				side.ProgressAt = s.At - uint64(100*time.Millisecond) // since then
				if was.side(r).Stopped {
					side.ProgressAt = was.side(r).ProgressAt
				}
			}
		}
		trend.Add(s)
	}
	_, v := trend.Whole(r)
	return v
}

// addLatency adds a sample of a message that waited that long.
func addLatency(s *Snapshot, d time.Duration) {
	s.Latency.add(d)
}

func TestWhole_Verdict(t *testing.T) {
	asRing := func(*Snapshot) {}
	asTransfer := func(s *Snapshot) { s.Geometry, s.Limit = layout.Geometry{Mode: layout.ModeTransfer}, 1<<30 }
	easy := func(s *Snapshot) { // 1000 a second, and a consumer that waits for them
		s.Produced, s.Consumed = s.Produced+1000, s.Consumed+1000
		s.Consumer.Blocked += 950 * time.Millisecond
		s.Consumer.Waits += 1000
		s.Consumer.Stopped = false
	}
	halted := func(s *Snapshot) { // the consumer is stopped, the ring full
		s.Consumer.Stopped = true
		s.Consumer.Blocked += time.Second
		s.Producer.Blocked += time.Second
		s.Producer.Waits++
	}
	hard := func(s *Snapshot) { // 100 a second, which is what the consumer can take
		s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
		s.Producer.Blocked += 900 * time.Millisecond
		s.Producer.Waits += 100
	}
	fills := func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+1000, s.Consumed+300 }
	empties := func(s *Snapshot) { s.Consumed = min(s.Consumed+300, s.Produced) }
	for _, c := range []struct {
		name     string
		role     layout.Role
		want     Kind
		cause    Cause
		figures  func(v *Verdict) bool
		first    func(s *Snapshot)
		chapters []func(s *Snapshot)
	}{
		{"all is easy", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool {
			return v.ProducerBlocked == 0 && v.ConsumerBlocked == 0.95 && v.ConsumerStoppedFor == Bounds{} && v.Advice == nil
		}, asRing, repeat(5, easy)},
		{"the consumer is stopped between one look and the next but one", layout.Producer, ConsumerBound, CauseStopped, func(v *Verdict) bool {
			return v.ConsumerStoppedFor == Bounds{0, 1100 * time.Millisecond} && v.Elapsed == 5*time.Second && v.ProducerBlocked == 0.2 && v.Missed == 1000 && v.Advice == nil
		}, asRing,
			append(repeat(2, easy), halted, easy, easy)},
		{"the consumer is stopped for a while, and the producer waits a little", layout.Producer, ConsumerBound, CauseStopped, func(v *Verdict) bool {
			return v.ConsumerStoppedFor == Bounds{0, 1100 * time.Millisecond} && v.ProducerBlocked == 0.05
		}, asRing,
			append(repeat(2, easy), func(s *Snapshot) { halted(s); s.Producer.Blocked -= 750 * time.Millisecond }, easy, easy)},
		{"the consumer of a transfer is stopped", layout.Consumer, Balanced, CauseStopped, func(v *Verdict) bool {
			return v.ConsumerStoppedFor == Bounds{0, 1100 * time.Millisecond} && v.Elapsed == 4*time.Second && v.ProducerBlocked == 0
		}, asTransfer,
			append(repeat(2, easy), func(s *Snapshot) { s.Consumer.Stopped = true; s.Produced += 100 }, func(s *Snapshot) { s.Consumed += 100; easy(s) })},
		{"the producer is stopped", layout.Consumer, ProducerBound, CauseWaits, func(v *Verdict) bool {
			return v.ProducerStoppedFor == Bounds{0, 1100 * time.Millisecond} && v.ConsumerStoppedFor == Bounds{}
		}, asRing,
			append(repeat(2, easy), func(s *Snapshot) { s.Producer.Stopped, s.Consumer.Blocked = true, s.Consumer.Blocked+time.Second }, func(s *Snapshot) { s.Producer.Stopped = false; easy(s) })},
		{"there is no consumer until all is queued", layout.Producer, NoConsumer, CauseLate, func(v *Verdict) bool {
			return v.ConsumerAbsentFor == 3*time.Second && v.Elapsed == 5*time.Second && v.Advises(AdviceStartSooner)
		}, func(s *Snapshot) { s.Consumer.Alive = false },
			append(repeat(3, func(s *Snapshot) { s.Producer.Blocked += time.Second }), func(s *Snapshot) { s.Consumer.Alive = true }, easy)},
		{"there is no consumer for a third of the time", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool {
			return v.ConsumerAbsentFor == 2*time.Second && v.Elapsed == 6*time.Second && !v.Advises(AdviceStartSooner)
		}, func(s *Snapshot) { s.Consumer.Alive = false },
			append(append(repeat(2, func(s *Snapshot) { s.Producer.Blocked += time.Second }), func(s *Snapshot) { s.Consumer.Alive = true }), repeat(3, easy)...)},
		{"there is no producer for a third of the time", layout.Consumer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.ProducerAbsentFor == 2*time.Second && v.Elapsed == 6*time.Second }, func(s *Snapshot) { s.Producer = RoleStats{} },
			append(append(repeat(2, func(s *Snapshot) { s.Consumer.Blocked += time.Second }), func(s *Snapshot) { s.Producer = RoleStats{Alive: true, State: layout.StateRunning} }), repeat(3, easy)...)},
		{"each side waits for the other at times", layout.Consumer, Balanced, CauseBothWait, func(v *Verdict) bool { return v.ProducerBlocked == 0.2 && v.ConsumerBlocked == 0.5 && v.Advice == nil }, asTransfer,
			repeat(5, func(s *Snapshot) {
				s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
				s.Producer.Blocked, s.Consumer.Blocked = s.Producer.Blocked+200*time.Millisecond, s.Consumer.Blocked+500*time.Millisecond
			})},
		{"the consumer leaves and has taken nothing", layout.Producer, NoConsumer, "", func(v *Verdict) bool { return v.Depth == 5 && v.AtEnd == nil && v.Advises(AdviceStartConsumer) }, asRing,
			append(repeat(4, func(s *Snapshot) { s.Consumer.Blocked += time.Second }), func(s *Snapshot) { s.Produced, s.Consumer.Alive = s.Produced+5, false })},
		{"there is no consumer at first", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool {
			return v.ConsumerAbsentFor == time.Second && v.Elapsed == 10*time.Second && v.ConsumerBlocked > 0.9 && !v.Advises(AdviceSpeedUpConsumer)
		}, func(s *Snapshot) { s.Consumer.Alive = false },
			append([]func(s *Snapshot){func(s *Snapshot) { s.Producer.Blocked += time.Second }, func(s *Snapshot) { s.Consumer.Alive = true }}, repeat(8, easy)...)},
		{"a consumer comes and goes between two looks", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool {
			return v.ProducerBlocked == 0 && v.ConsumerBlocked == 0.95 && v.ConsumerAbsentFor == 0
		},
			func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			repeat(1, func(s *Snapshot) { s.Consumer.Generation, s.Consumer.State = 1, layout.StateClosed; easy(s) })},
		{"the consumer leaves just before the last look", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool {
			return v.ProducerBlocked == 0 && v.ConsumerBlocked == 0.95 && v.AtEnd != nil && v.AtEnd.Kind == NoConsumer && v.AtEnd.Depth == 5
		},
			asRing,
			repeat(1, func(s *Snapshot) {
				easy(s)
				s.Produced += 5
				s.Consumer.Alive, s.Consumer.State = false, layout.StateClosed
			})},
		{"all is queued, and taken, between two looks", layout.Producer, ConsumerBound, CauseBacklog, func(v *Verdict) bool {
			return v.ConsumerBlocked == 0.03 && v.Fill == 0 && v.Deepest == 500 && v.ConsumerAbsentFor == 0 && v.Advises(AdviceSpeedUpConsumer)
		},
			func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			repeat(1, func(s *Snapshot) {
				s.Produced, s.Consumed, s.HighWater = s.Produced+500, s.Consumed+500, 500
				s.Consumer.Blocked, s.Consumer.Generation, s.Consumer.State = 30*time.Millisecond, 1, layout.StateClosed
			})},
		{"the producer is stopped, of a pair whose consumer is slower", layout.Consumer, ConsumerBound, CauseWaits, func(v *Verdict) bool {
			return v.ProducerStoppedFor == Bounds{2 * time.Second, 3100 * time.Millisecond} && v.Elapsed == 9*time.Second && v.BothRan < v.Elapsed && v.ProducerBlocked == 0.9 && v.ConsumerBlocked == 0
		}, asRing,
			append(append(repeat(3, hard), repeat(3, func(s *Snapshot) { s.Producer.Stopped = true; s.Consumer.Blocked += time.Second })...), append([]func(s *Snapshot){func(s *Snapshot) { s.Producer.Stopped = false }}, repeat(2, hard)...)...)},
		{"what an earlier producer has left is worked off", layout.Consumer, ConsumerBound, CauseBehind, func(v *Verdict) bool {
			return v.SlowerFor == 5*time.Second && v.Elapsed == 5*time.Second && v.BothRan == v.Elapsed && v.Deepest == 4000 && v.Shrinks && v.DepthBefore == 4000 && v.Advice == nil
		},
			func(s *Snapshot) { asTransfer(s); s.Produced += 4000 }, repeat(5, func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+100, s.Consumed+300 })},
		{"what a producer has left that is not there any more", layout.Consumer, ConsumerBound, CauseBehind, func(v *Verdict) bool {
			return v.SlowerFor == 4*time.Second && v.Elapsed == 5*time.Second && v.BothRan < v.Elapsed && v.Deepest == 1400 && v.Shrinks && v.DepthBefore == 1400
		},
			func(s *Snapshot) {
				s.Geometry.Slots = 0
				s.Produced, s.Producer = s.Produced+1400, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
			}, repeat(5, empties)},
		{"what waited is soon worked off", layout.Consumer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.ProducerBlocked == 0 && v.ConsumerBlocked == 0.76 && v.SlowerFor == 0 }, func(s *Snapshot) { s.Geometry.Slots = 0; s.Produced += 4000 },
			append(repeat(1, func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+1000, s.Consumed+5000 }), repeat(4, easy)...)},
		{"the queue was deeper once, before this run", layout.Producer, ConsumerBound, CauseFills, func(v *Verdict) bool { return v.Deepest == 3500 }, func(s *Snapshot) { s.Geometry.Slots, s.HighWater = 0, 5000 },
			repeat(5, fills)},
		{"the ring fills all the time", layout.Producer, ConsumerBound, CauseFills, func(v *Verdict) bool { return v.ProducedPerSec == 1000 && v.ConsumedPerSec == 300 && v.Deepest == 3500 }, func(s *Snapshot) { s.Geometry.Slots = 0 },
			repeat(5, fills)},
		{"the queue of a transfer grows and is delivered", layout.Producer, ConsumerBound, CauseBehind, func(v *Verdict) bool { return v.SlowerFor > 0 }, asTransfer,
			append(repeat(3, fills), repeat(7, empties)...)},
		{"the queue of a transfer grows, and is delivered at once", layout.Producer, ConsumerBound, CauseBehind, func(v *Verdict) bool {
			return v.SlowerFor == 4*time.Second && v.Elapsed == 6*time.Second && v.BothRan == v.Elapsed
		}, asTransfer,
			append(repeat(4, fills), func(s *Snapshot) { s.Consumed = s.Produced; s.Consumer.Blocked += 500 * time.Millisecond }, easy)},
		{"the queue of a transfer grows, and the consumer has come a little later", layout.Producer, ConsumerBound, CauseBehind, func(v *Verdict) bool {
			return v.SlowerFor == 3*time.Second && v.Elapsed == 6*time.Second && v.BothRan < v.Elapsed
		},
			func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			append(append(repeat(1, func(s *Snapshot) {
				s.Consumer = RoleStats{Alive: true, Generation: 1, State: layout.StateRunning}
				fills(s)
			}), repeat(3, fills)...),
				func(s *Snapshot) { s.Consumed = s.Produced; s.Consumer.Blocked += 500 * time.Millisecond }, easy)},
		{"the consumer stalls most of the time", layout.Producer, ConsumerBound, CauseBehind, func(v *Verdict) bool { return v.SlowerFor == 4*time.Second && v.Elapsed == 6*time.Second }, asTransfer,
			append(append(repeat(1, func(s *Snapshot) { easy(s); s.Produced += 5 }), repeat(4, func(s *Snapshot) { s.Consumer.ProgressAt = s.At - uint64(10*time.Second) })...),
				func(s *Snapshot) { s.Consumed += 5; easy(s) })},
		{"the limit was reached for a while", layout.Producer, ConsumerBound, CauseLimit, func(v *Verdict) bool { return v.Limit == 1<<30 && v.Advises(AdviceRaiseLimit) && !v.LimitReached }, asTransfer,
			append(repeat(2, easy), func(s *Snapshot) { s.RefuseReason = layout.RefuseMemoryLimit; s.Produced += 100 }, func(s *Snapshot) { s.RefuseReason = layout.RefuseNone; s.Consumed += 100; easy(s) })},
		{"the limit was reached, and the producer ended", layout.Consumer, ConsumerBound, CauseLimit, func(v *Verdict) bool { return v.Limit == 1<<30 && v.Advises(AdviceRaiseLimit) }, asTransfer,
			append(repeat(4, easy), func(s *Snapshot) {
				s.RefuseReason, s.Producer = layout.RefuseMemoryLimit, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
				s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
			})},
		{"the limit was reached", layout.Producer, ConsumerBound, CauseLimit, func(v *Verdict) bool { return v.Limit == 1<<30 && v.Advises(AdviceRaiseLimit) && v.Deepest == 100 }, asTransfer,
			append(append(repeat(2, easy), func(s *Snapshot) { s.RefuseReason = layout.RefuseMemoryLimit; s.Produced += 100 }), func(s *Snapshot) { s.Consumed += 100 })},
		{"the consumer works off what a producer has left", layout.Consumer, ConsumerBound, CauseBehind, func(v *Verdict) bool {
			return v.SlowerFor == 10*time.Second && v.Elapsed == 11*time.Second && v.Deepest == 3000 && v.ProducerAbsentFor == 0
		}, asTransfer,
			append(repeat(1, func(s *Snapshot) {
				s.Produced += 3000
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
			}), repeat(10, empties)...)},
		{"the consumer of a transfer has taken everything and leaves", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.ProducerBlocked == 0 && v.AtEnd == nil }, asTransfer,
			append(repeat(5, easy), func(s *Snapshot) { s.Consumer = RoleStats{Generation: 1, State: layout.StateClosed} })},
		{"nobody came for a transfer", layout.Producer, NoConsumer, CauseUndelivered, func(v *Verdict) bool { return v.Depth == 3000 && v.Advises(AdviceStartConsumer) }, func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			repeat(3, func(s *Snapshot) { s.Produced += 1000 })},
		{"the consumer leaves first", layout.Producer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.AtEnd != nil && v.AtEnd.Kind == NoConsumer && v.AtEnd.Depth == 5 }, asRing,
			append(repeat(5, easy), func(s *Snapshot) { s.Produced, s.Consumer.Alive = s.Produced+5, false })},
		{"nobody is there for most of the time", layout.Producer, NoConsumer, "", func(v *Verdict) bool { return v.AtEnd == nil }, asRing,
			append(repeat(1, easy), repeat(5, func(s *Snapshot) { s.Consumer.Alive, s.Produced = false, 2008 })...)},
		{"messages are dropped", layout.Producer, ConsumerBound, CauseOverflow, func(v *Verdict) bool { return v.Dropped == 500 && v.Offered == 5500 }, asRing, repeat(5, func(s *Snapshot) { easy(s); s.Dropped += 100 })},
		{"messages are dropped before the consumer comes", layout.Producer, ConsumerBound, CauseOverflow, func(v *Verdict) bool {
			return v.Dropped == 500 && v.Offered == 5500 && v.ConsumerBlocked == 0.76 && !v.ConsumerStayed && v.Advises(AdviceKeepConsumer) && v.Advises(AdviceMoreCapacity)
		},
			func(s *Snapshot) { s.Consumer = RoleStats{} }, append(repeat(1, func(s *Snapshot) {
				easy(s)
				s.Consumer, s.Dropped = RoleStats{Alive: true, State: layout.StateRunning, Generation: 1}, 500
			}), repeat(4, easy)...)},
		{"messages are dropped, not only before the consumer comes", layout.Producer, ConsumerBound, CauseOverflow, func(v *Verdict) bool {
			return v.Dropped == 500 && v.Offered == 5500 && v.ConsumerBlocked == 0.76 && v.ConsumerStayed && !v.Advises(AdviceKeepConsumer)
		},
			func(s *Snapshot) { s.Consumer = RoleStats{} }, append(repeat(1, func(s *Snapshot) {
				easy(s)
				s.Consumer, s.Dropped = RoleStats{Alive: true, State: layout.StateRunning, Generation: 1}, 100
			}), repeat(4, func(s *Snapshot) { easy(s); s.Dropped += 100 })...)},
		{"a transfer's consumer of few messages is slower", layout.Consumer, ConsumerBound, CauseFills, func(v *Verdict) bool { return v.ProducedPerSec == 50 && v.ConsumedPerSec == 36 }, asTransfer,
			repeat(3, func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+50, s.Consumed+36 })},
		{"a few messages queue up and wait between two looks", layout.Consumer, ConsumerBound, CauseBacklog, func(v *Verdict) bool { return v.Deepest == 10 }, func(s *Snapshot) { s.Geometry.Slots = 0 },
			repeat(1, func(s *Snapshot) {
				s.Produced, s.Consumed, s.HighWater = s.Produced+20, s.Consumed+20, 10
				addLatency(s, 400*time.Millisecond)
			})},
		{"bursts come to a consumer that spins", layout.Consumer, Balanced, CauseWaits, func(v *Verdict) bool {
			return v.ProducerBlocked == 0 && v.ConsumerBlocked == 0 && v.Fill == 0 && v.Deepest == 0
		}, func(s *Snapshot) { s.Geometry.Slots = 0 },
			repeat(5, func(s *Snapshot) {
				s.Produced, s.Consumed, s.HighWater = s.Produced+200, s.Consumed+200, 100
				addLatency(s, 500*time.Microsecond)
			})},
		{"a producer dies and another one comes", layout.Consumer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.Lost == 402 && v.LastProducer == "" }, asTransfer,
			append(repeat(3, easy), func(s *Snapshot) { s.Produced, s.Lost = s.Produced+402, 402; easy(s) })},
		{"the sides did not meet", layout.Consumer, Unconnected, CauseSockets, func(v *Verdict) bool { return v.ProducerSocket == "/a/s" && v.ConsumerSocket == "/b/s" },
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" },
			append(repeat(3, func(s *Snapshot) { s.Produced += 100 }), func(s *Snapshot) {
				s.Lost, s.Producer.Alive, s.Producer.State = 300, false, layout.StateClosed
			})},
		{"the sides did not meet for most of the time", layout.Consumer, Unconnected, CauseSockets, func(v *Verdict) bool { return v.ProducerSocket == "/a/s" && v.ConsumerSocket == "/b/s" },
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" },
			append(repeat(3, func(s *Snapshot) { s.Produced += 100 }), func(s *Snapshot) { s.Consumer.Socket, s.Consumed = "/a/s", s.Produced })},
		{"the sides do not meet, and the queue grows until the end", layout.Consumer, Unconnected, CauseSockets, func(v *Verdict) bool { return v.Depth == 3000 },
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" },
			repeat(3, func(s *Snapshot) { s.Produced, s.QueueBytes = s.Produced+1000, s.QueueBytes+1<<20 })},
		{"two paths lead to one socket, and nothing is sent", layout.Consumer, Idle, "", func(v *Verdict) bool { return v.ProducerSocket == "" },
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" }, repeat(3, func(s *Snapshot) { s.Consumer.Blocked += time.Second })},
		{"the producer failed", layout.Consumer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.LastProducer == EndFailed }, asRing,
			append(repeat(5, easy), func(s *Snapshot) {
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndFailed}
			})},
		{"the producer was stopped before it sent anything", layout.Consumer, NoProducer, "", func(v *Verdict) bool { return v.LastProducer == EndStopped && v.Depth == 0 }, func(s *Snapshot) {
			s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndStopped}
		}, repeat(3, func(*Snapshot) {})},
		{"the producer was stopped early", layout.Consumer, ProducerBound, CauseWaits, func(v *Verdict) bool { return v.LastProducer == EndStopped }, asRing,
			append(repeat(5, easy), func(s *Snapshot) {
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndStopped}
			})},
		{"nothing came", layout.Consumer, Idle, "", func(v *Verdict) bool { return v.Advice == nil }, asRing, repeat(5, func(s *Snapshot) { s.Consumer.Blocked += time.Second })},
		{"both wait in turn", layout.Producer, Balanced, CauseBursts, func(v *Verdict) bool {
			return v.ProducerBlocked == 0.2 && v.Elapsed == 5*time.Second && v.ConsumerBlocked == 0.8 && v.Missed == 0 && v.Advises(AdviceMoreCapacity)
		}, asRing,
			append(repeat(4, easy), func(s *Snapshot) {
				s.Consumer.Blocked, s.Producer.Blocked, s.Producer.Waits = 4*time.Second, s.Producer.Blocked+time.Second, 500
				s.Produced, s.Consumed = s.Produced+300, s.Consumed+300
			})},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judgeRun(c.role, c.first, c.chapters...)
			if v.Kind != c.want || v.Cause != c.cause || !v.Whole || v.Held != 0 || v.Grows || !c.figures(&v) {
				t.Errorf("%+v, want %s: %s", v, c.want, c.cause)
			}
		})
	}
}

// The window of a verdict that comes after a stop shows waits that were none.
func TestWhole_AfterStop_NoBursts(t *testing.T) {
	_, s := oneSecond(func(_, _ *Snapshot) {})
	var trend Trend
	trend.Add(s)
	s.At += uint64(time.Second)
	s.Consumer.Stopped, s.Producer.Waits = true, 1
	s.Producer.Blocked, s.Consumer.Blocked = time.Second, time.Second
	if _, v := trend.Add(s); v.Kind != Stopped {
		t.Errorf("%+v", v)
	}
	s.At += uint64(time.Second)
	s.Consumer.Stopped, s.Producer.Waits, s.Produced, s.Consumed = false, 2, 1600, 1600
	s.Producer.Blocked, s.Consumer.Blocked = 1300*time.Millisecond, 1900*time.Millisecond
	if _, v := trend.Add(s); v.Kind == Stopped || v.Cause == CauseBursts || v.Advises(AdviceMoreCapacity) {
		t.Errorf("%+v", v)
	}
}

// Nor is what was waited for while nobody looked.
func TestTrend_SnapshotGap_NotUsed(t *testing.T) {
	_, s := oneSecond(func(_, _ *Snapshot) {})
	var trend Trend
	for range 3 { // the consumer is slower
		s.At += uint64(time.Second)
		s.Producer.Blocked += 900 * time.Millisecond
		s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
		trend.Add(s)
	}
	s.At += uint64(7 * time.Second) // who looks, and the producer, was stopped
	s.Consumer.Blocked += 7 * time.Second
	if _, v := trend.Add(s); v.Kind != ConsumerBound {
		t.Errorf("%+v", v)
	}
	s.At += uint64(time.Second)
	s.Producer.Blocked += 900 * time.Millisecond
	s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
	if _, v := trend.Add(s); v.Kind != ConsumerBound || v.ProducerBlocked != 0.9 || v.ConsumerBlocked != 0 {
		t.Errorf("%+v", v)
	}
	trend.AddStopped(layout.Producer, Bounds{6 * time.Second, 7 * time.Second})
	if _, v := trend.Whole(layout.Producer); v.Kind != ConsumerBound || v.ProducerStoppedFor != (Bounds{6 * time.Second, 7 * time.Second}) || v.Elapsed != 10*time.Second || v.ProducerBlocked != 0.9 || v.BothRan >= v.Elapsed {
		t.Errorf("%+v", v)
	}
}

// A short one does not show, unless who looks says so.
func TestTrend_ObserverWasPaused(t *testing.T) {
	_, s := oneSecond(func(_, _ *Snapshot) {})
	var trend Trend
	hard := func(d time.Duration) (Interval, Verdict) {
		s.At += uint64(d)
		s.Producer.Blocked += d / 10 * 9
		s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
		return trend.Add(s)
	}
	for range 3 {
		hard(time.Second)
	}
	s.Consumer.Blocked += 2 * time.Second
	s.Producer.Blocked -= 18 * time.Second / 10 // it was stopped, and did not wait
	trend.MarkGap()
	if i, v := hard(2 * time.Second); i.Elapsed != 0 || v.Kind != ConsumerBound {
		t.Errorf("%+v, %+v", i, v)
	}
	if i, v := hard(time.Second); i.Elapsed != time.Second || v.Kind != ConsumerBound || v.ProducerBlocked != 0.9 || v.ConsumerBlocked != 0 {
		t.Errorf("%+v, %+v", i, v)
	}
	if _, v := trend.Whole(layout.Producer); v.Kind != ConsumerBound || v.ProducerBlocked != 0.9 || v.ConsumerBlocked != 0 || v.BothRan >= v.Elapsed {
		t.Errorf("%+v", v)
	}
}

// A process that is stopped takes no snapshots. It says so itself.
func TestTrend_ProcessWasStopped(t *testing.T) {
	_, s := oneSecond(func(_, _ *Snapshot) {})
	var trend Trend
	trend.Add(s)
	s.At += uint64(5 * time.Second)
	s.Produced, s.Consumed, s.Consumer.Blocked = 4000, 4000, 4*time.Second
	s.Producer.Blocked, s.Producer.Waits = time.Second, 1
	trend.Add(s)
	trend.AddStopped(layout.Consumer, Bounds{0, time.Second})
	if _, v := trend.Whole(layout.Consumer); v.Kind != ConsumerBound || v.ConsumerStoppedFor != (Bounds{0, time.Second}) || v.Elapsed != 5*time.Second {
		t.Errorf("%+v", v)
	}
}
