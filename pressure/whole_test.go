package pressure

import (
	"strings"
	"testing"
	"time"

	"sluice/layout"
)

// Words are results: each row says what a verdict has to say, and what would be
// refuted by what happened.
func TestWhatAVerdictSays(t *testing.T) {
	transfer := func(b, s *Snapshot) {
		for _, at := range []*Snapshot{b, s} {
			at.Geometry, at.Limit = layout.Geometry{Mode: layout.ModeTransfer}, 1<<20
		}
	}
	for _, c := range []struct {
		name        string
		want        Kind
		says, says2 string
		never       string
		change      func(before, after *Snapshot)
	}{
		{"a ring that drops", ConsumerBound, "50 of 250 messages dropped", "speed up", "bursts", func(_, s *Snapshot) { s.Dropped = 50 }},
		{"a ring that drops in bursts", ConsumerBound, "50 of 250 messages dropped", "in bursts: more room", "speed up", func(_, s *Snapshot) {
			s.Dropped, s.Consumer.Blocked = 50, 400*time.Millisecond
		}},
		{"a ring that is full, whose consumer is busy", ConsumerBound, "queue 100 % full", "speed up the consumer; more capacity only delays this", "sleeps", func(_, s *Snapshot) { s.Produced = 1208 }},
		{"a ring that fills at times, whose consumer has some time", ConsumerBound, "blocked: producer 30 %, consumer 12 %", "let more wait for it", "only delays", func(_, s *Snapshot) {
			s.Producer.Blocked, s.Consumer.Blocked = 300*time.Millisecond, 120*time.Millisecond
		}},
		{"a moment", Balanced, "too short a time to tell", "", "blocked", func(b, s *Snapshot) { s.At = b.At + uint64(5*time.Millisecond) }},
		{"a moment, and a wait in it", ProducerBound, "blocked: producer 20 %, consumer 80 %", "", "the ring was full", func(b, s *Snapshot) {
			s.At = b.At + uint64(5*time.Millisecond)
			s.Producer.Blocked, s.Producer.Waits, s.Consumer.Blocked = time.Millisecond, 1, 4*time.Millisecond
		}},
		{"a little more than a moment", Balanced, "blocked: producer 0 %", "", "too short", func(b, s *Snapshot) { s.At = b.At + uint64(20*time.Millisecond) }},
		{"a deep queue of a transfer, whose consumer has time", ProducerBound, "consumer 30 %", "the consumer has time left", "to spare", func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced, s.Consumer.Blocked = 1200, 1400, 300*time.Millisecond
		}},
		{"a deep queue of a transfer, whose consumer has none", ConsumerBound, "consumer 0 %", "the queue does not grow, and the consumer has no time to spare", "shorter", func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced = 1200, 1400
		}},
		{"a deep queue of a transfer that gets shorter", ConsumerBound, "consumer 0 %", "the queue gets shorter", "does not grow", func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced, s.Consumed = 2000, 2100, 2000
		}},
		{"a transfer at its limit", ConsumerBound, "the limit of 1 MiB was reached", "--limit", "at this pace", func(b, s *Snapshot) {
			transfer(b, s)
			s.RefuseReason, s.Produced, s.QueueBytes = layout.RefuseMemoryLimit, 1400, 1<<20
		}},
		{"a transfer at its limit that nobody takes from", NoConsumer, "the limit of 1 MiB is reached: the producer can send no more", "start a consumer", "goes on", func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed = RoleStats{}, RoleStats{}, 1000
			s.RefuseReason, s.QueueBytes = layout.RefuseMemoryLimit, 1<<20
		}},
		{"a ring that nobody takes from", NoConsumer, "no consumer lives; the producer is blocked; 8 messages are queued", "start a consumer: what is in the queue waits for it", "goes on", func(b, s *Snapshot) {
			b.Consumer, s.Consumer, s.Consumed, s.Produced = RoleStats{}, RoleStats{}, 1000, 1008
			s.Producer.State = layout.StateAlone
		}},
		{"a transfer that nobody takes from", NoConsumer, "the producer goes on and queues; 200 messages are queued", "start a consumer", "lost", func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed = RoleStats{}, RoleStats{}, 1000
		}},
		{"a transfer that nobody takes from, whose producer has sent everything", NoConsumer, "the producer sends no more and waits for one; 200 messages are queued", "start a consumer", "goes on", func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed, s.Producer.End = RoleStats{}, RoleStats{}, 1000, layout.EndComplete
		}},
		{"a transfer whose consumer has left, and whose producer has sent everything since", NoConsumer, "the producer has sent everything and waits for one to tell it the end", "start a consumer", "queue", func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer = RoleStats{Generation: 1, State: layout.StateClosed}
			s.Consumer, s.Produced, s.Consumed, s.Producer.End = b.Consumer, 1000, 1000, layout.EndComplete
			b.Produced, b.Consumed, s.Producer.Generation = 1000, 1000, 1
		}},
		{"a dead transfer", NoProducer, "200 messages were lost with the producer, but for those that a socket unit (systemd) may hold", "start a producer", "queued", func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer, s.Consumer, s.Consumed, s.Producer.Alive = RoleStats{}, RoleStats{}, 1000, false
		}},
		{"a transfer that has ended", NoProducer, "the last producer has ended; the queue is empty", "start one", "lost", func(b, s *Snapshot) {
			transfer(b, s)
			b.Producer, b.Consumer = RoleStats{Generation: 1, State: layout.StateClosed}, RoleStats{Generation: 1, State: layout.StateClosed}
			s.Producer, s.Consumer, s.Produced, s.Consumed = b.Producer, b.Consumer, 1000, 1000
		}},
		{"nobody", NoProducer, "no producer lives; the queue is empty", "start one", "stop the consumer", func(b, s *Snapshot) {
			b.Producer, b.Consumer = RoleStats{}, RoleStats{State: layout.StateClosed}
			s.Producer, s.Consumer, s.Produced, s.Consumed = b.Producer, b.Consumer, 1000, 1000
		}},
		{"a transfer whose producer died", NoProducer, "of 402 messages that were queued, those that it had not handed over are lost", "", "402 messages are queued", func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, s.Produced, s.Producer.Alive = 1602, 1602, false
		}},
		{"sides that look in different places", Unconnected, "the producer connects to /a/s, the consumer listens at /b/s", "the same XDG_RUNTIME_DIR", "speed", func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/b/s"
		}},
		{"sides that look in different places, for a while", Unconnected, "the producer connects to /a/s", "the same XDG_RUNTIME_DIR", "at this pace", func(b, s *Snapshot) {
			transfer(b, s)
			s.QueueBytes = 1 << 19
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/b/s"
		}},
		{"sides that look in different places, looked at for a moment", Growing, "", "", "different places", func(b, s *Snapshot) {
			transfer(b, s)
			s.At = b.At + uint64(50*time.Millisecond)
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/b/s"
		}},
		{"two paths, perhaps to one socket, and nothing to send", Idle, "nothing is produced", "", "different places", func(b, s *Snapshot) {
			transfer(b, s)
			s.Produced, s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, 1000, "/a/s", "/b/s"
		}},
		{"a producer that has not said where it connects to", Growing, "takes 0", "", "different places", func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumed, s.Consumer.Socket = 1000, "/b/s"
		}},
		{"two paths to one socket", Growing, "the consumer takes 100", "speed the consumer up", "different places", func(b, s *Snapshot) {
			transfer(b, s)
			s.Produced, s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1300, 1100, "/a/s", "/b/s"
		}},
		{"a socket that is gone", Unconnected, "the producer finds no socket of the consumer at /a/s", "start the consumer again", "speed", func(b, s *Snapshot) {
			transfer(b, s)
			b.RefuseReason, s.RefuseReason = layout.RefuseNoConsumer, layout.RefuseNoConsumer
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/a/s"
		}},
		{"a producer without descriptors", Unconnected, "the producer has no descriptor left to connect with", "ulimit -n", "speed", func(b, s *Snapshot) {
			transfer(b, s)
			b.RefuseReason, s.RefuseReason = layout.RefuseNoConnectionDescriptor, layout.RefuseNoConnectionDescriptor
			s.Consumed, s.Producer.Socket, s.Consumer.Socket = 1000, "/a/s", "/a/s"
		}},
		{"a consumer that has only just come", Growing, "takes 0", "", "different places", func(b, s *Snapshot) {
			transfer(b, s)
			b.Consumer.Alive, s.Consumed, s.Producer.Socket, s.Consumer.Socket = false, 1000, "/a/s", "/b/s"
		}},
		{"a process of another pid namespace", Stopped, "the consumer (process 7 of another pid namespace) shows no progress", "kill -CONT", "CONT 7", func(_, s *Snapshot) {
			s.Consumer.PID, s.Consumer.Foreign, s.Consumer.State, s.Consumer.Progress = 7, true, layout.StateBlocked, s.At-uint64(3*time.Second)
		}},
		{"a side with another clock", Idle, "nothing is produced", "", "no progress", func(_, s *Snapshot) {
			s.Consumer.OtherClock, s.Consumer.State, s.Consumer.Progress = true, layout.StateBlocked, s.At-uint64(time.Hour)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a producer that was stopped early", NoProducer, "no producer lives; the last producer was stopped before the end of its stream; the queue is empty", "start one", "died", func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Producer = 1000, 1000, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndStopped}
		}},
		{"a producer that failed", NoProducer, "the last producer failed before the end of its stream", "start one", "died", func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Producer = 1000, 1000, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndFailed}
		}},
		{"a producer that died", NoProducer, "the last producer died", "start one", "ended", func(_, s *Snapshot) {
			s.Produced, s.Consumed, s.Producer = 1000, 1000, RoleStats{Generation: 1, State: layout.StateRunning}
		}},
		{"a transfer's producer that died, and what it had queued is written off", NoProducer, "the last producer died; the queue is empty; 402 messages were lost with a producer that died or gave up", "start one", "queued", func(b, s *Snapshot) {
			transfer(b, s)
			b.Produced, b.Lost, s.Produced, s.Consumed, s.Lost, s.Producer = 1402, 402, 1402, 1000, 402, RoleStats{Generation: 1, State: layout.StateRunning}
		}},
		{"a stopped consumer", Stopped, "the consumer (pid 7) is stopped (SIGSTOP or Ctrl-Z)", "kill -CONT 7", "slower", func(_, s *Snapshot) {
			s.Consumer.PID, s.Consumer.Stopped, s.Consumed = 7, true, 1000
		}},
		{"a stopped consumer of a transfer", Stopped, "is stopped (SIGSTOP or Ctrl-Z); at this pace the limit of 1 MiB is reached in", "kill -CONT", "growing", func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumer.Stopped, s.Consumed, s.QueueBytes = true, 1000, 1<<19
		}},
		{"a stopped consumer of a transfer that is at its limit", Stopped, "is stopped (SIGSTOP or Ctrl-Z); the limit of 1 MiB was reached", "kill -CONT", "at this pace", func(b, s *Snapshot) {
			transfer(b, s)
			s.Consumer.Stopped, s.Consumed, s.QueueBytes, s.RefuseReason = true, 1000, 1<<20, layout.RefuseMemoryLimit
		}},
		{"a stopped producer", Stopped, "the producer (pid 7) is stopped (SIGSTOP or Ctrl-Z)", "kill -CONT 7", "nothing is produced", func(_, s *Snapshot) {
			s.Producer.PID, s.Producer.Stopped, s.Produced, s.Consumed = 7, true, 1000, 1000
		}},
		{"a side that sleeps and does not look around", Stopped, "shows no progress for 3 s", "kill -CONT", "", func(_, s *Snapshot) {
			s.Consumer.State, s.Consumer.Progress = layout.StateBlocked, s.At-uint64(3*time.Second)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a side that waits for nobody in particular and does not look around", Stopped, "shows no progress for 3 s", "kill -CONT", "", func(_, s *Snapshot) {
			s.Consumer.State, s.Consumer.Progress = layout.StateAlone, s.At-uint64(3*time.Second)
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a side that does not look around, and runs", Idle, "nothing is produced", "", "stopped", func(_, s *Snapshot) {
			s.Consumer.State, s.Consumer.Progress, s.Consumer.Runs = layout.StateBlocked, s.At-uint64(3*time.Second), true
			s.Produced, s.Consumed = 1000, 1000
		}},
		{"a side that works and notes nothing", Idle, "nothing is produced", "", "stopped", func(_, s *Snapshot) {
			s.Producer.Progress = s.At - uint64(time.Minute)
			s.Produced, s.Consumed = 1000, 1000
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := second(c.change)
			i := Between(&before, &after)
			v := Judge(&i, &after)
			text := v.Why + "; " + v.Advice
			if v.Kind != c.want || !strings.Contains(v.Why, c.says) || !strings.Contains(v.Advice, c.says2) {
				t.Errorf("%+v, want %s: %q, %q", v, c.want, c.says, c.says2)
			}
			if c.never != "" && strings.Contains(text, c.never) {
				t.Errorf("%q is not true: %q", c.never, text)
			}
		})
	}
}

// run feeds a Trend with a snapshot a second, each made from the one before by the next
// chapter, and returns the verdict on all of it for the process with role r.
func run(r layout.Role, first func(s *Snapshot), chapters ...func(s *Snapshot)) Verdict {
	_, s := second(func(_, _ *Snapshot) {})
	s.Produced, s.Consumed = 1000, 1000
	first(&s)
	var trend Trend
	trend.Add(s)
	for _, change := range chapters {
		s.At += uint64(time.Second)
		s.Producer.Progress, s.Consumer.Progress = s.At, s.At
		change(&s)
		trend.Add(s)
	}
	_, v := trend.Whole(r)
	return v
}

// waited adds a sample of a message that waited that long.
func waited(s *Snapshot, d time.Duration) {
	s.Latency.Count++
	s.Latency.Buckets[layout.LatencyBucket(uint64(d))]++
	s.Latency.Max = max(s.Latency.Max, d)
}

func TestTheVerdictOnAWholeRun(t *testing.T) {
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
		says     string
		never    string
		first    func(s *Snapshot)
		chapters []func(s *Snapshot)
	}{
		{"all is easy", layout.Producer, ProducerBound, "blocked: producer 0 %, consumer 95 %", "stopped", asRing, times(5, easy)},
		{"the consumer is stopped for a second of five", layout.Producer, ConsumerBound,
			"the consumer was stopped (SIGSTOP or Ctrl-Z) for about 1s of 5s; the producer was blocked for 1s; about 1,000 more messages would have gone in", "nothing to do unless", asRing,
			append(times(2, easy), halted, easy, easy)},
		{"the consumer is stopped for a while, and the producer waits a little", layout.Producer, ConsumerBound, "the producer was blocked for 250ms", "took what came", asRing,
			append(times(2, easy), func(s *Snapshot) { halted(s); s.Producer.Blocked -= 750 * time.Millisecond }, easy, easy)},
		{"the consumer of a transfer is stopped", layout.Consumer, Balanced, "the consumer was stopped (SIGSTOP or Ctrl-Z) for about 1s of 4s; the queue took what came", "producer-bound", asTransfer,
			append(times(2, easy), func(s *Snapshot) { s.Consumer.Stopped = true; s.Produced += 100 }, func(s *Snapshot) { s.Consumed += 100; easy(s) })},
		{"the producer is stopped", layout.Consumer, ProducerBound, "the producer was stopped (SIGSTOP or Ctrl-Z) for about 1s", "", asRing,
			append(times(2, easy), func(s *Snapshot) { s.Producer.Stopped, s.Consumer.Blocked = true, s.Consumer.Blocked+time.Second }, func(s *Snapshot) { s.Producer.Stopped = false; easy(s) })},
		{"there is no consumer until all is queued", layout.Producer, NoConsumer, "there was no consumer for at least 3s of 5s", "slower", func(s *Snapshot) { s.Consumer.Alive = false },
			append(times(3, func(s *Snapshot) { s.Producer.Blocked += time.Second }), func(s *Snapshot) { s.Consumer.Alive = true }, easy)},
		{"there is no consumer for a third of the time", layout.Producer, ProducerBound, "there was no consumer for at least 2s of 6s; ", "start the consumer sooner", func(s *Snapshot) { s.Consumer.Alive = false },
			append(append(times(2, func(s *Snapshot) { s.Producer.Blocked += time.Second }), func(s *Snapshot) { s.Consumer.Alive = true }), times(3, easy)...)},
		{"the consumer leaves and has taken nothing", layout.Producer, NoConsumer, "no consumer lives; 5 messages are queued", "slower", asRing,
			append(times(4, func(s *Snapshot) { s.Consumer.Blocked += time.Second }), func(s *Snapshot) { s.Produced, s.Consumer.Alive = s.Produced+5, false })},
		{"there is no consumer at first", layout.Producer, ProducerBound, "there was no consumer for at least 1s of 10s; blocked: producer 0 %, consumer 9", "speed up", func(s *Snapshot) { s.Consumer.Alive = false },
			append([]func(s *Snapshot){func(s *Snapshot) { s.Producer.Blocked += time.Second }, func(s *Snapshot) { s.Consumer.Alive = true }}, times(8, easy)...)},
		{"a consumer comes and goes between two looks", layout.Producer, ProducerBound, "blocked: producer 0 %, consumer 95 %", "there was no consumer",
			func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			times(1, func(s *Snapshot) { s.Consumer.Generation, s.Consumer.State = 1, layout.StateClosed; easy(s) })},
		{"the consumer leaves just before the last look", layout.Producer, ProducerBound, "blocked: producer 0 %, consumer 95 %", "",
			asRing,
			times(1, func(s *Snapshot) {
				easy(s)
				s.Produced += 5
				s.Consumer.Alive, s.Consumer.State = false, layout.StateClosed
			})},
		{"all is queued, and taken, between two looks", layout.Producer, ConsumerBound, "blocked: producer 0 %, consumer 3 % of the time; queue 0 % full; deepest queue: 500 messages", "there was no consumer",
			func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			times(1, func(s *Snapshot) {
				s.Produced, s.Consumed, s.HighWater = s.Produced+500, s.Consumed+500, 500
				s.Consumer.Blocked, s.Consumer.Generation, s.Consumer.State = 30*time.Millisecond, 1, layout.StateClosed
			})},
		{"the producer is stopped, of a pair whose consumer is slower", layout.Consumer, ConsumerBound, "the producer was stopped (SIGSTOP or Ctrl-Z) for about 3s of 9s; blocked: producer 90 %, consumer 0 % while both sides ran", "", asRing,
			append(append(times(3, hard), times(3, func(s *Snapshot) { s.Producer.Stopped = true; s.Consumer.Blocked += time.Second })...), append([]func(s *Snapshot){func(s *Snapshot) { s.Producer.Stopped = false }}, times(2, hard)...)...)},
		{"what an earlier producer has left is worked off", layout.Consumer, ConsumerBound, "the consumer was the slower side for 5s of 5s; deepest queue: 4,000 messages; 4,000 messages waited at the start", "speed up",
			func(s *Snapshot) { asTransfer(s); s.Produced += 4000 }, times(5, func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+100, s.Consumed+300 })},
		{"what a producer has left that is not there any more", layout.Consumer, ConsumerBound, "for at least 4s of 5s; deepest queue: 1,400 messages; 1,400 messages waited at the start", "the producer sends",
			func(s *Snapshot) {
				s.Geometry.Slots = 0
				s.Produced, s.Producer = s.Produced+1400, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
			}, times(5, empties)},
		{"what waited is soon worked off", layout.Consumer, ProducerBound, "blocked: producer 0 %, consumer 76 %", "waited", func(s *Snapshot) { s.Geometry.Slots = 0; s.Produced += 4000 },
			append(times(1, func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+1000, s.Consumed+5000 }), times(4, easy)...)},
		{"the queue was deeper once, before this run", layout.Producer, ConsumerBound, "deepest queue: 3,500 messages", "", func(s *Snapshot) { s.Geometry.Slots, s.HighWater = 0, 5000 },
			times(5, fills)},
		{"the ring fills all the time", layout.Producer, ConsumerBound, "the producer sends 1,000 msg/s, the consumer takes 300; deepest queue: 3,500 messages", "", func(s *Snapshot) { s.Geometry.Slots = 0 },
			times(5, fills)},
		{"the queue of a transfer grows and is delivered", layout.Producer, ConsumerBound, "the consumer was the slower side for", "producer-bound", asTransfer,
			append(times(3, fills), times(7, empties)...)},
		{"the queue of a transfer grows, and is delivered at once", layout.Producer, ConsumerBound, "the consumer was the slower side for 4s of 6s", "producer-bound", asTransfer,
			append(times(4, fills), func(s *Snapshot) { s.Consumed = s.Produced; s.Consumer.Blocked += 500 * time.Millisecond }, easy)},
		{"the queue of a transfer grows, and the consumer has come a little later", layout.Producer, ConsumerBound, "the consumer was the slower side for at least 3s of 6s", "producer-bound",
			func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			append(append(times(1, func(s *Snapshot) {
				s.Consumer = RoleStats{Alive: true, Generation: 1, State: layout.StateRunning}
				fills(s)
			}), times(3, fills)...),
				func(s *Snapshot) { s.Consumed = s.Produced; s.Consumer.Blocked += 500 * time.Millisecond }, easy)},
		{"the consumer stalls most of the time", layout.Producer, ConsumerBound, "the consumer was the slower side for 4s of 6s", "producer-bound", asTransfer,
			append(append(times(1, func(s *Snapshot) { easy(s); s.Produced += 5 }), times(4, func(s *Snapshot) { s.Consumer.Progress = s.At - uint64(10*time.Second) })...),
				func(s *Snapshot) { s.Consumed += 5; easy(s) })},
		{"the limit was reached for a while", layout.Producer, ConsumerBound, "the limit of 1 GiB was reached", "nothing to do", asTransfer,
			append(times(2, easy), func(s *Snapshot) { s.RefuseReason = layout.RefuseMemoryLimit; s.Produced += 100 }, func(s *Snapshot) { s.RefuseReason = layout.RefuseNone; s.Consumed += 100; easy(s) })},
		{"the limit was reached, and the producer ended", layout.Consumer, ConsumerBound, "the limit of 1 GiB was reached", "nothing to do", asTransfer,
			append(times(4, easy), func(s *Snapshot) {
				s.RefuseReason, s.Producer = layout.RefuseMemoryLimit, RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
				s.Produced, s.Consumed = s.Produced+100, s.Consumed+100
			})},
		{"the limit was reached", layout.Producer, ConsumerBound, "the limit of 1 GiB was reached", "nothing to do", asTransfer,
			append(append(times(2, easy), func(s *Snapshot) { s.RefuseReason = layout.RefuseMemoryLimit; s.Produced += 100 }), func(s *Snapshot) { s.Consumed += 100 })},
		{"the consumer works off what a producer has left", layout.Consumer, ConsumerBound, "the consumer was the slower side for 10s of 11s; deepest queue: 3,000 messages", "no producer for", asTransfer,
			append(times(1, func(s *Snapshot) {
				s.Produced += 3000
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndComplete}
			}), times(10, empties)...)},
		{"the consumer of a transfer has taken everything and leaves", layout.Producer, ProducerBound, "blocked: producer 0 %", "no consumer", asTransfer,
			append(times(5, easy), func(s *Snapshot) { s.Consumer = RoleStats{Generation: 1, State: layout.StateClosed} })},
		{"nobody came for a transfer", layout.Producer, NoConsumer, "no consumer is there for 3,000 messages", "the producer goes on", func(s *Snapshot) { asTransfer(s); s.Consumer = RoleStats{} },
			times(3, func(s *Snapshot) { s.Produced += 1000 })},
		{"the consumer leaves first", layout.Producer, ProducerBound, "no consumer lives; 5 messages are queued", "", asRing,
			append(times(5, easy), func(s *Snapshot) { s.Produced, s.Consumer.Alive = s.Produced+5, false })},
		{"nobody is there for most of the time", layout.Producer, NoConsumer, "no consumer lives", "", asRing,
			append(times(1, easy), times(5, func(s *Snapshot) { s.Consumer.Alive, s.Produced = false, 2008 })...)},
		{"messages are dropped", layout.Producer, ConsumerBound, "500 of 5,500 messages dropped", "", asRing, times(5, func(s *Snapshot) { easy(s); s.Dropped += 100 })},
		{"messages are dropped before the consumer comes", layout.Producer, ConsumerBound, "500 of 5,500 messages dropped because the ring was full; the consumer slept 76 % of the time, but it was not always there", "bursts",
			func(s *Snapshot) { s.Consumer = RoleStats{} }, append(times(1, func(s *Snapshot) {
				easy(s)
				s.Consumer, s.Dropped = RoleStats{Alive: true, State: layout.StateRunning, Generation: 1}, 500
			}), times(4, easy)...)},
		{"messages are dropped, not only before the consumer comes", layout.Producer, ConsumerBound, "500 of 5,500 messages dropped because the ring was full; the consumer slept 76 % of the time", "not always there",
			func(s *Snapshot) { s.Consumer = RoleStats{} }, append(times(1, func(s *Snapshot) {
				easy(s)
				s.Consumer, s.Dropped = RoleStats{Alive: true, State: layout.StateRunning, Generation: 1}, 100
			}), times(4, func(s *Snapshot) { easy(s); s.Dropped += 100 })...)},
		{"a transfer's consumer of few messages is slower", layout.Consumer, ConsumerBound, "the producer sends 50 msg/s, the consumer takes 36", "balanced", asTransfer,
			times(3, func(s *Snapshot) { s.Produced, s.Consumed = s.Produced+50, s.Consumed+36 })},
		{"a few messages queue up and wait between two looks", layout.Consumer, ConsumerBound, "deepest queue: 10 messages", "balanced", func(s *Snapshot) { s.Geometry.Slots = 0 },
			times(1, func(s *Snapshot) {
				s.Produced, s.Consumed, s.HighWater = s.Produced+20, s.Consumed+20, 10
				waited(s, 400*time.Millisecond)
			})},
		{"bursts come to a consumer that spins", layout.Consumer, Balanced, "blocked: producer 0 %, consumer 0 % of the time; queue 0 % full", "deepest", func(s *Snapshot) { s.Geometry.Slots = 0 },
			times(5, func(s *Snapshot) {
				s.Produced, s.Consumed, s.HighWater = s.Produced+200, s.Consumed+200, 100
				waited(s, 500*time.Microsecond)
			})},
		{"a producer dies and another one comes", layout.Consumer, ProducerBound, "402 messages were lost with a producer that died", "", asTransfer,
			append(times(3, easy), func(s *Snapshot) { s.Produced, s.Lost = s.Produced+402, 402; easy(s) })},
		{"the sides did not meet", layout.Consumer, Unconnected, "connects to /a/s, the consumer listens at /b/s", "producer-bound",
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" },
			append(times(3, func(s *Snapshot) { s.Produced += 100 }), func(s *Snapshot) {
				s.Lost, s.Producer.Alive, s.Producer.State = 300, false, layout.StateClosed
			})},
		{"the sides did not meet for most of the time", layout.Consumer, Unconnected, "connects to /a/s, the consumer listens at /b/s", "producer-bound",
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" },
			append(times(3, func(s *Snapshot) { s.Produced += 100 }), func(s *Snapshot) { s.Consumer.Socket, s.Consumed = "/a/s", s.Produced })},
		{"two paths lead to one socket, and nothing is sent", layout.Consumer, Idle, "nothing is produced", "different places",
			func(s *Snapshot) { asTransfer(s); s.Producer.Socket, s.Consumer.Socket = "/a/s", "/b/s" }, times(3, func(s *Snapshot) { s.Consumer.Blocked += time.Second })},
		{"the producer failed", layout.Consumer, ProducerBound, "; the last producer failed before the end of its stream", "died", asRing,
			append(times(5, easy), func(s *Snapshot) {
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndFailed}
			})},
		{"the producer was stopped before it sent anything", layout.Consumer, NoProducer, "no producer lives; the last producer was stopped before the end of its stream; the queue is empty",
			"empty; the last producer", func(s *Snapshot) {
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndStopped}
			}, times(3, func(*Snapshot) {})},
		{"the producer was stopped early", layout.Consumer, ProducerBound, "the last producer was stopped before the end of its stream", "died", asRing,
			append(times(5, easy), func(s *Snapshot) {
				s.Producer = RoleStats{Generation: 1, State: layout.StateClosed, End: layout.EndStopped}
			})},
		{"nothing came", layout.Consumer, Idle, "nothing is produced", "", asRing, times(5, func(s *Snapshot) { s.Consumer.Blocked += time.Second })},
		{"both wait in turn", layout.Producer, Balanced, "the ring was full for 1s of 5s; the consumer slept 80 %", "nothing to do", asRing,
			append(times(4, easy), func(s *Snapshot) {
				s.Consumer.Blocked, s.Producer.Blocked, s.Producer.Waits = 4*time.Second, s.Producer.Blocked+time.Second, 500
				s.Produced, s.Consumed = s.Produced+300, s.Consumed+300
			})},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := run(c.role, c.first, c.chapters...)
			if text := v.Why + "; " + v.Advice; v.Kind != c.want || !strings.Contains(v.Why, c.says) || c.never != "" && (string(v.Kind) == c.never || strings.Contains(text, c.never)) {
				t.Errorf("%+v, want %s: %q, and not %q", v, c.want, c.says, c.never)
			}
		})
	}
}

// The window of a verdict that comes after a stop shows waits that were none.
func TestAfterAStopNothingIsSaidOfBursts(t *testing.T) {
	_, s := second(func(_, _ *Snapshot) {})
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
	if _, v := trend.Add(s); v.Kind == Stopped || strings.Contains(v.Why+v.Advice, "room") {
		t.Errorf("%+v", v)
	}
}

// Nor is what was waited for while nobody looked.
func TestAPauseInTheLooksIsNotLookedBackOn(t *testing.T) {
	_, s := second(func(_, _ *Snapshot) {})
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
	if _, v := trend.Add(s); v.Kind != ConsumerBound || !strings.Contains(v.Why, "producer 90 %, consumer 0 %") {
		t.Errorf("%+v", v)
	}
	trend.NotRun(layout.Producer, 7*time.Second)
	if _, v := trend.Whole(layout.Producer); v.Kind != ConsumerBound || !strings.Contains(v.Why, "the producer was stopped (SIGSTOP or Ctrl-Z) for about 7s of 10s; blocked: producer 90 %, consumer 0 % while both sides ran") {
		t.Errorf("%+v", v)
	}
}

// A short one does not show, unless who looks says so.
func TestAPauseThatWhoLooksKnowsOf(t *testing.T) {
	_, s := second(func(_, _ *Snapshot) {})
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
	trend.Pause()
	if i, v := hard(2 * time.Second); i.Elapsed != 0 || v.Kind != ConsumerBound {
		t.Errorf("%+v, %+v", i, v)
	}
	if i, v := hard(time.Second); i.Elapsed != time.Second || v.Kind != ConsumerBound || !strings.Contains(v.Why, "producer 90 %, consumer 0 %") {
		t.Errorf("%+v, %+v", i, v)
	}
	if _, v := trend.Whole(layout.Producer); v.Kind != ConsumerBound || !strings.Contains(v.Why, "producer 90 %, consumer 0 % while both sides ran") {
		t.Errorf("%+v", v)
	}
}

// A process that is stopped takes no snapshots. It says so itself.
func TestAProcessKnowsThatItWasStopped(t *testing.T) {
	_, s := second(func(_, _ *Snapshot) {})
	var trend Trend
	trend.Add(s)
	s.At += uint64(5 * time.Second)
	s.Produced, s.Consumed, s.Consumer.Blocked = 4000, 4000, 4*time.Second
	s.Producer.Blocked, s.Producer.Waits = time.Second, 1
	trend.Add(s)
	trend.NotRun(layout.Consumer, time.Second)
	if _, v := trend.Whole(layout.Consumer); v.Kind != ConsumerBound || !strings.Contains(v.Why, "the consumer was stopped (SIGSTOP or Ctrl-Z) for about 1s of 5s") {
		t.Errorf("%+v", v)
	}
}
