package verdict

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// of is a verdict on a second of a ring.
func of(k pressure.Kind, c pressure.Cause, change func(v *pressure.Verdict), advice ...pressure.AdviceKind) pressure.Verdict {
	v := pressure.Verdict{Kind: k, Cause: c, Figures: pressure.Figures{Mode: layout.ModeRing, Elapsed: time.Second, BothRan: time.Second, ConsumerStayed: true}}
	for _, kind := range advice {
		v.Advice = append(v.Advice, pressure.Advice{Kind: kind})
	}
	change(&v)
	return v
}

func transfer(change func(v *pressure.Verdict)) func(v *pressure.Verdict) {
	return func(v *pressure.Verdict) {
		v.Mode, v.Limit = layout.ModeTransfer, 1<<20
		change(v)
	}
}

// due is a verdict on an open-loop load of 1,000 messages a second.
func due(waiting uint64, grows bool, change func(v *pressure.Verdict)) func(v *pressure.Verdict) {
	return func(v *pressure.Verdict) {
		v.Scheduled, v.SchedulePerSec, v.Waiting, v.WaitingGrows = true, 1000, waiting, grows
		change(v)
	}
}

func as(*pressure.Verdict) {}

// Words are results: each row is a verdict and what is said of it.
func TestWords_OfVerdicts(t *testing.T) {
	waits := func(p, c float64) func(v *pressure.Verdict) {
		return func(v *pressure.Verdict) { v.ProducerBlocked, v.ConsumerBlocked, v.Fill = p, c, 0.5 }
	}
	const (
		cb, speedUp, keep, more = pressure.ConsumerBound, pressure.AdviceSpeedUpConsumer, pressure.AdviceKeepCapacity, pressure.AdviceMoreCapacity
		slow, raise, ring       = pressure.AdviceSlowProducer, pressure.AdviceRaiseLimit, pressure.AdviceRingMode
		start, stop             = pressure.AdviceStartProducer, pressure.AdviceStopConsumer
	)
	for _, c := range []struct {
		v              pressure.Verdict
		reason, advice string
	}{
		{pressure.Verdict{}, "", ""},
		{of(pressure.Idle, "", as), "the queue is empty and nothing is produced", ""},

		// Who waits for whom.
		{of(cb, pressure.CauseWaits, waits(0.9, 0), speedUp, keep), "blocked: producer 90 %, consumer 0 % of the time; queue 50 % full", "speed up the consumer; more capacity only delays this"},
		{of(cb, pressure.CauseFull, transfer(waits(0, 0)), speedUp, keep), "blocked: producer 0 %, consumer 0 % of the time; queue 50 % full", "speed up the consumer; a higher limit (--limit) only delays this"},
		{of(cb, pressure.CauseWaits, waits(0.3, 0.12), speedUp, more), "blocked: producer 30 %, consumer 12 % of the time; queue 50 % full",
			"speed up the consumer, or use more capacity (--capacity, --slots): the consumer sleeps at times"},
		{of(pressure.ProducerBound, pressure.CauseWaits, waits(0, 0.95)), "blocked: producer 0 %, consumer 95 % of the time; queue 50 % full", "the consumer has time to spare; nothing to do unless it should receive more"},
		{of(pressure.ProducerBound, pressure.CauseWaits, func(v *pressure.Verdict) { waits(0, 0.95)(v); v.BothRan /= 2 }), "blocked: producer 0 %, consumer 95 % while both sides ran; queue 50 % full",
			"the consumer has time to spare; nothing to do unless it should receive more"},
		{of(pressure.Balanced, pressure.CauseLate, waits(0.6, 0.3), pressure.AdviceKeepConsumer), "blocked: producer 60 %, consumer 30 % of the time, but the consumer was not always there; queue 50 % full",
			"start the consumer first and keep it running"},
		{of(pressure.Balanced, pressure.CauseWaits, waits(0, 0)), "blocked: producer 0 %, consumer 0 % of the time; queue 50 % full", ""},
		{of(pressure.Balanced, pressure.CauseBothWait, waits(0.2, 0.5)), "blocked: producer 20 %, consumer 50 % of the time; queue 50 % full", "each side waited for the other at times"},
		{of(pressure.Balanced, pressure.CauseTooShort, as), "too short a time to tell", ""},
		{of(pressure.Balanced, pressure.CauseBursts, func(v *pressure.Verdict) { v.ProducerBlocked, v.ConsumerBlocked, v.Missed = 0.08, 0.5, 80 }, more),
			"the ring was full for 80ms of 1s; about 80 more messages would have been sent; the consumer waited 50 % of the time", "use more capacity (--capacity, --slots): the producer waits only in bursts"},
		{of(pressure.Balanced, pressure.CauseBursts, func(v *pressure.Verdict) { v.ProducerBlocked, v.ConsumerBlocked, v.Missed = 0.08, 0.5, 1 }, more),
			"the ring was full for 80ms of 1s; about 1 more message would have been sent; the consumer waited 50 % of the time", "use more capacity (--capacity, --slots): the producer waits only in bursts"},
		{of(pressure.Balanced, pressure.CauseBursts, func(v *pressure.Verdict) { v.ProducerBlocked, v.ConsumerBlocked = 0.08, 0.5 }, more),
			"the ring was full for 80ms of 1s; the consumer waited 50 % of the time", "use more capacity (--capacity, --slots): the producer waits only in bursts"},

		// What the queue does.
		{of(cb, pressure.CauseBacklog, func(v *pressure.Verdict) { v.Fill = 0.2 }), "blocked: producer 0 %, consumer 0 % of the time; queue 20 % full", "the queue did not grow in that time, but the consumer had none to spare"},
		{of(cb, pressure.CauseBacklog, func(v *pressure.Verdict) { v.Shrinks = true }), "blocked: producer 0 %, consumer 0 % of the time; queue 0 % full", "the queue gets shorter; nothing to do unless its messages are too old"},
		{of(cb, pressure.CauseFills, func(v *pressure.Verdict) {
			v.ProducedPerSec, v.ConsumedPerSec, v.Grows, v.FullIn = 1000, 300.4, true, 8*time.Second
		}, speedUp, slow, keep),
			"the producer sends 1,000 msg/s, the consumer receives 300; at this rate the ring is full in about 8.0 s", "speed up the consumer, or slow down the producer (--rate); more capacity only delays this"},
		{of(pressure.Growing, pressure.CauseFills, transfer(func(v *pressure.Verdict) { v.ProducedPerSec, v.Grows, v.FullIn = 200, true, 100*time.Second }), slow, speedUp, ring),
			"the producer sends 200 msg/s, the consumer receives 0; at this rate the limit of 1 MiB is reached in 1m40s", "slow down the producer (--rate), speed up the consumer, or let the producer wait (--on-limit block, or --mode ring)"},
		{of(pressure.Growing, pressure.CauseFills, transfer(func(v *pressure.Verdict) { v.ProducedPerSec, v.Grows, v.Limit = 200, true, 0 }), slow, speedUp, ring),
			"the producer sends 200 msg/s, the consumer receives 0; there is no limit but the machine's memory", "slow down the producer (--rate), speed up the consumer, or let the producer wait (--limit with --on-limit block, or --mode ring)"},
		{of(cb, pressure.CauseLimit, transfer(func(v *pressure.Verdict) { v.LimitReached, v.Depth, v.ConsumedPerSec = true, 200, 200 }), speedUp, slow, raise, ring),
			"the limit of 1 MiB was reached and the producer could send no more (the command delivers what is queued and ends with exit code 5); 200 messages are queued, the consumer receives 200 msg/s",
			"speed up the consumer, slow down the producer (--rate), raise the limit (--limit), or let the producer wait (--on-limit block, or --mode ring)"},
		{of(cb, pressure.CauseLimit, transfer(func(v *pressure.Verdict) {
			v.LimitReached, v.Depth, v.ConsumedPerSec, v.ConsumerBlocked = true, 200, 200, 0.4
		}), raise, slow, ring),
			"the limit of 1 MiB was reached and the producer could send no more (the command delivers what is queued and ends with exit code 5); 200 messages are queued, the consumer receives 200 msg/s; the consumer waited 40 % of the time",
			"raise the limit (--limit), slow down the producer (--rate), or let the producer wait (--on-limit block, or --mode ring)"},
		{of(cb, pressure.CauseOverflow, func(v *pressure.Verdict) { v.Dropped, v.Offered = 50, 250 }, speedUp, keep), "50 of 250 messages dropped because the ring was full", "speed up the consumer; more capacity only delays this"},
		{of(cb, pressure.CauseOverflow, func(v *pressure.Verdict) { v.Dropped, v.Offered, v.ConsumerBlocked = 50, 250, 0.4 }, more),
			"50 of 250 messages dropped because the ring was full; the consumer waited 40 % of the time", "use more capacity (--capacity, --slots) for bursts of messages, or pauses of the consumer"},
		{of(cb, pressure.CauseOverflow, func(v *pressure.Verdict) {
			v.Dropped, v.Offered, v.ConsumerBlocked, v.ConsumerStayed = 50, 250, 0.4, false
		}, pressure.AdviceKeepConsumer, more),
			"50 of 250 messages dropped because the ring was full; the consumer waited 40 % of the time, but it was not always there", "start the consumer first and keep it running, or use more capacity (--capacity, --slots) for what is sent meanwhile"},

		// A transfer that waits at its limit, or drops messages there.
		{of(cb, pressure.CauseFills, transfer(func(v *pressure.Verdict) {
			v.OnFull, v.ProducedPerSec, v.ConsumedPerSec, v.Grows, v.FullIn = layout.PolicyBlock, 1000, 300, true, 8*time.Second
		}), speedUp, slow, keep),
			"the producer sends 1,000 msg/s, the consumer receives 300; at this rate the producer has to wait in about 8.0 s", "speed up the consumer, or slow down the producer (--rate); a higher limit (--limit) only delays this"},
		{of(cb, pressure.CauseFills, transfer(func(v *pressure.Verdict) {
			v.OnFull, v.ProducedPerSec, v.ConsumedPerSec, v.Grows, v.FullIn = layout.PolicyDrop, 1000, 300, true, 8*time.Second
		}), speedUp, slow, keep),
			"the producer sends 1,000 msg/s, the consumer receives 300; at this rate messages are dropped in about 8.0 s", "speed up the consumer, or slow down the producer (--rate); a higher limit (--limit) only delays this"},
		{of(pressure.Balanced, pressure.CauseBursts, transfer(func(v *pressure.Verdict) {
			v.OnFull, v.ProducerBlocked, v.ConsumerBlocked = layout.PolicyBlock, 0.08, 0.5
		}), more),
			"the limit of 1 MiB was reached for 80ms of 1s; the consumer waited 50 % of the time", "raise the limit (--limit): the producer waits only in bursts"},
		{of(cb, pressure.CauseOverflow, transfer(func(v *pressure.Verdict) { v.OnFull, v.Dropped, v.Offered = layout.PolicyDrop, 50, 250 }), speedUp, keep),
			"50 of 250 messages dropped because the limit of 1 MiB was reached", "speed up the consumer; a higher limit (--limit) only delays this"},

		// What is due by a schedule.
		{of(cb, pressure.CauseWaits, due(1234, true, waits(0.9, 0)), speedUp, slow, keep),
			"blocked: producer 90 %, consumer 0 % of the time; queue 50 % full; 1,234 messages that are due wait in front of the producer, and their number grows",
			"speed up the consumer, or offer less (--rate); more capacity only delays this"},
		{of(cb, pressure.CauseWaits, due(1, false, waits(0.9, 0)), speedUp, keep),
			"blocked: producer 90 %, consumer 0 % of the time; queue 50 % full; 1 message that is due waits in front of the producer", "speed up the consumer; more capacity only delays this"},
		{of(pressure.ProducerBound, pressure.CauseSchedule, due(800, true, func(v *pressure.Verdict) { v.ProducedPerSec = 200 }), slow),
			"the producer sends 200 of the 1,000 msg/s that are due, and is not blocked; 800 messages that are due wait in front of the producer, and their number grows", "offer less (--rate)"},
		{of(pressure.ProducerBound, pressure.CauseBursts, due(0, false, func(v *pressure.Verdict) { v.ProducerBlocked, v.ConsumerBlocked = 0.08, 0.5 }), more),
			"the ring was full for 80ms of 1s; the consumer waited 50 % of the time",
			"use more capacity (--capacity, --slots): messages then wait in the queue instead of in front of the producer, just as long"},
		{of(pressure.NoConsumer, pressure.CauseBlocked, due(992, true, func(v *pressure.Verdict) { v.Depth = 8 }), pressure.AdviceStartConsumer),
			"there is no consumer; the producer is blocked; 8 messages are queued; 992 messages that are due wait in front of the producer, and their number grows", "start a consumer"},
		{of(pressure.NoProducer, "", func(v *pressure.Verdict) { v.LastProducer, v.NotSent = pressure.EndDied, 992 }, start),
			"there is no producer; the last producer died; the queue is empty; 992 messages were due and not sent", "start a producer"},
		{of(cb, pressure.CauseStopped, due(0, false, func(v *pressure.Verdict) {
			v.Whole, v.ConsumerStoppedFor, v.ProducerBlocked, v.MostWaiting, v.NotSent, v.Elapsed, v.BothRan = true, pressure.Bounds{Max: time.Second}, 0.2, 992, 1, 5*time.Second, 5*time.Second
		})), "the consumer was stopped (SIGSTOP or Ctrl-Z) for up to 1s of 5s; the producer was blocked for 1s; at least 992 messages that were due waited in front of the producer at one time; 1 message was due and not sent",
			"nothing to do if the consumer was stopped on purpose"},
		{of(cb, pressure.CauseWaits, due(0, false, func(v *pressure.Verdict) { v.Whole, v.MostWaiting, v.NotSent = true, 992, 992 }), speedUp, slow, keep),
			"blocked: producer 0 %, consumer 0 % of the time; queue 0 % full; 992 messages were due and not sent", "speed up the consumer, or offer less (--rate); more capacity only delays this"},

		// Who is not there.
		{of(pressure.NoConsumer, "", as, pressure.AdviceStartConsumer), "there is no consumer; the queue is empty", "start a consumer"},
		{of(pressure.NoConsumer, pressure.CauseBlocked, func(v *pressure.Verdict) { v.Depth, v.Advice[0].Messages = 8, 8 }, pressure.AdviceStartConsumer),
			"there is no consumer; the producer is blocked; 8 messages are queued", "start a consumer: it receives what is queued"},
		{of(pressure.NoConsumer, pressure.CauseQueues, transfer(func(v *pressure.Verdict) { v.Depth, v.Grows, v.FullIn = 1, true, 500*time.Millisecond }), pressure.AdviceStartConsumer),
			"there is no consumer; the producer keeps adding to its queue; 1 message is queued; at this rate the limit of 1 MiB is reached in 0.5 s", "start a consumer"},
		{of(pressure.NoConsumer, pressure.CauseLimit, transfer(func(v *pressure.Verdict) { v.LimitReached, v.Depth = true, 200 }), pressure.AdviceStartConsumer),
			"there is no consumer, and the limit of 1 MiB is reached: the producer can send no more; 200 messages are queued", "start a consumer"},
		{of(pressure.NoConsumer, pressure.CauseDelivering, transfer(func(v *pressure.Verdict) { v.Depth = 200 }), pressure.AdviceStartConsumer),
			"there is no consumer; the producer sends no more and waits for one; 200 messages are queued", "start a consumer"},
		{of(pressure.NoConsumer, pressure.CauseEndUntold, transfer(as), pressure.AdviceStartConsumer), "there is no consumer; the producer has sent everything and waits to tell one that its stream has ended", "start a consumer"},
		{of(pressure.NoConsumer, pressure.CauseUndelivered, transfer(func(v *pressure.Verdict) { v.Whole, v.Depth = true, 3000 }), pressure.AdviceStartConsumer),
			"there is no consumer for 3,000 messages; they are lost when the producer ends", "start a consumer"},
		{of(pressure.NoConsumer, pressure.CauseLate, func(v *pressure.Verdict) { v.Whole, v.ConsumerAbsentFor = true, 800*time.Millisecond }, pressure.AdviceStartSooner),
			"there was no consumer for at least 800ms of 1s", "start the consumer sooner"},
		{of(pressure.NoProducer, "", as, start), "there is no producer; the queue is empty", "start a producer"},
		{of(pressure.NoProducer, "", func(v *pressure.Verdict) { v.LastProducer = pressure.EndComplete }, start, stop), "there is no producer; the last producer has ended; the queue is empty", "start a producer, or stop the consumer"},
		{of(pressure.NoProducer, "", func(v *pressure.Verdict) { v.LastProducer, v.Whole = pressure.EndStopped, true }, start, stop),
			"there is no producer; the last producer was stopped before the end of its stream; the queue is empty", "start a producer, or stop the consumer"},
		{of(pressure.NoProducer, "", transfer(func(v *pressure.Verdict) { v.LastProducer, v.Lost = pressure.EndDied, 402 }), start),
			"there is no producer; the last producer died; the queue is empty; 402 messages were lost with a producer that died or ended before delivery", "start a producer"},
		{of(pressure.NoProducer, pressure.CauseUndelivered, transfer(func(v *pressure.Verdict) { v.LastProducer, v.Depth = pressure.EndFailed, 402 }), start),
			"there is no producer; the last producer failed before the end of its stream; of 402 messages in its queue, those that it had not sent to the consumer are lost", "start a producer"},
		{of(pressure.NoProducer, pressure.CauseNobody, transfer(func(v *pressure.Verdict) { v.Depth = 1 }), start),
			"there is no producer and no consumer; 1 message was lost with the producer, except those that a systemd socket unit may hold for the next consumer", "start a producer"},

		// Who does not run, or is not found.
		{of(pressure.Stopped, pressure.CauseSignal, func(v *pressure.Verdict) { v.Role, v.PID, v.Advice[0].PID = layout.Consumer, 7, 7 }, pressure.AdviceContinue), "the consumer (pid 7) is stopped (SIGSTOP or Ctrl-Z)", "continue it: kill -CONT 7"},
		{of(pressure.Stopped, pressure.CauseSignal, transfer(func(v *pressure.Verdict) { v.PID, v.LimitReached = 7, true }), pressure.AdviceContinue),
			"the producer (pid 7) is stopped (SIGSTOP or Ctrl-Z); the limit of 1 MiB was reached", "continue it: kill -CONT"},
		{of(pressure.Stopped, pressure.CauseNoProgress, func(v *pressure.Verdict) { v.PID, v.OtherPIDNamespace, v.NoProgressFor = 7, true, 3*time.Second }, pressure.AdviceContinue),
			"the producer (process 7 of another pid namespace) has shown no progress for 3 s, not even while it waits; it was probably stopped (SIGSTOP)", "continue it: kill -CONT"},
		{of(pressure.Stopped, pressure.CauseAsleep, func(v *pressure.Verdict) { v.Role, v.PID = layout.Consumer, 7 }, pressure.AdviceContinue),
			"the consumer (pid 7) is not running although the queue is full; it was probably stopped (SIGSTOP)", "continue it: kill -CONT"},
		{of(pressure.Stopped, pressure.CauseAsleep, func(v *pressure.Verdict) { v.PID = 7 }, pressure.AdviceContinue),
			"the producer (pid 7) is not running although the queue is empty; it was probably stopped (SIGSTOP)", "continue it: kill -CONT"},
		{of(pressure.Stalled, pressure.CauseNoProgress, func(v *pressure.Verdict) {
			v.PID, v.NoProgressFor, v.LastProducer, v.Dropped, v.Offered = 7, 10*time.Second, pressure.EndDied, 200, 208
		}, pressure.AdviceInspectConsumer),
			"the consumer (pid 7) is alive but has received nothing for 10 s; the last producer died; 200 of 208 messages dropped because the ring was full",
			"find out what the consumer does: check its --work and its output, or use a debugger"},
		{of(pressure.Unconnected, pressure.CauseSockets, transfer(func(v *pressure.Verdict) {
			v.ProducerSocket, v.ConsumerSocket, v.Grows, v.FullIn = "/a/s", "/b/s", true, time.Second
		}), pressure.AdviceSameSocket),
			"both sides are alive, but use different sockets: the producer connects to /a/s, the consumer listens at /b/s", "start both with the same --socket, or with the same XDG_RUNTIME_DIR"},
		{of(pressure.Unconnected, pressure.CauseNoSocket, transfer(func(v *pressure.Verdict) { v.ProducerSocket, v.LimitReached = "/a/s", true }), pressure.AdviceRestartConsumer, pressure.AdviceSameSocket),
			"both sides are alive, but the producer finds no socket of the consumer at /a/s; the limit of 1 MiB was reached", "start the consumer again, with the same --socket and XDG_RUNTIME_DIR as the producer"},
		{of(pressure.Unconnected, pressure.CauseNoDescriptor, transfer(as), pressure.AdviceMoreDescriptors), "both sides are alive, but the producer has no file descriptor left to connect with", "allow the producer more file descriptors (ulimit -n)"},

		// A whole run.
		{of(cb, pressure.CauseLimit, transfer(func(v *pressure.Verdict) { v.Whole, v.Deepest = true, 1 }), raise), "the limit of 1 MiB was reached; deepest queue: 1 message", "raise the limit (--limit)"},
		{of(cb, pressure.CauseLimit, transfer(func(v *pressure.Verdict) { v.Whole, v.Deepest, v.Lost = true, 256, 128 }), raise),
			"the limit of 1 MiB was reached; deepest queue: 256 messages, counting lost ones; 128 messages were lost with a producer that died or ended before delivery", "raise the limit (--limit)"},
		{of(cb, pressure.CauseBehind, func(v *pressure.Verdict) { v.Whole, v.SlowerFor, v.Deepest = true, 900*time.Millisecond, 3500 }, speedUp, keep),
			"the consumer was the slower side for 900ms of 1s; deepest queue: 3,500 messages", "speed up the consumer; more capacity only delays this"},
		{of(cb, pressure.CauseBehind, func(v *pressure.Verdict) {
			v.Whole, v.SlowerFor, v.Deepest, v.Shrinks, v.DepthBefore, v.BothRan = true, 900*time.Millisecond, 3500, true, 3000, v.Elapsed/2
		}), "the consumer was the slower side for at least 900ms of 1s; deepest queue: 3,500 messages; 3,000 messages waited at the start", "nothing to do unless its messages were too old"},
		{of(cb, pressure.CauseStopped, func(v *pressure.Verdict) {
			v.Whole, v.ConsumerStoppedFor, v.ProducerBlocked, v.Missed, v.Elapsed, v.BothRan = true, pressure.Bounds{Min: 870 * time.Millisecond, Max: 2 * time.Second}, 0.2, 1000, 5*time.Second, 5*time.Second
		}), "the consumer was stopped (SIGSTOP or Ctrl-Z) for 870ms to 2s of 5s; the producer was blocked for 1s; about 1,000 more messages would have been sent", "nothing to do if the consumer was stopped on purpose"},
		{of(pressure.Balanced, pressure.CauseStopped, func(v *pressure.Verdict) {
			v.Whole, v.ConsumerStoppedFor = true, pressure.Bounds{Min: 500 * time.Millisecond, Max: 500 * time.Millisecond}
		}),
			"the consumer was stopped (SIGSTOP or Ctrl-Z) for 500ms of 1s; the queue had room for all that was sent meanwhile", ""},
		{of(pressure.ProducerBound, pressure.CauseWaits, func(v *pressure.Verdict) {
			v.Whole, v.ProducerStoppedFor, v.ConsumerAbsentFor, v.ProducerAbsentFor, v.LastProducer, v.Lost = true, pressure.Bounds{Max: 100 * time.Millisecond}, 200*time.Millisecond, 300*time.Millisecond, pressure.EndFailed, 1
			v.AtEnd = &pressure.Verdict{Kind: pressure.NoConsumer, Figures: pressure.Figures{Depth: 5}}
		}), "there was no consumer for at least 200ms of 1s; the producer was stopped (SIGSTOP or Ctrl-Z) for up to 100ms of 1s; blocked: producer 0 %, consumer 0 % of the time; queue 0 % full; " +
			"there was no producer for at least 300ms of 1s; there is no consumer; 5 messages are queued; the last producer failed before the end of its stream; " +
			"1 message was lost with a producer that died or ended before delivery", "the consumer has time to spare; nothing to do unless it should receive more"},
	} {
		if got := Reason(&c.v); got != c.reason {
			t.Errorf("%s, %s: reason\n%q, want\n%q", c.v.Kind, c.v.Cause, got, c.reason)
		}
		if got := Advice(&c.v); got != c.advice {
			t.Errorf("%s, %s: advice\n%q, want\n%q", c.v.Kind, c.v.Cause, got, c.advice)
		}
	}
}

// A line with the figures need not repeat them, unless there is more to say.
func TestWords_WhatRepeatsFigures(t *testing.T) {
	for _, c := range []struct {
		what string
		v    pressure.Verdict
		want bool
	}{
		{"waits", of(pressure.ConsumerBound, pressure.CauseWaits, as), true},
		{"a backlog", of(pressure.ConsumerBound, pressure.CauseBacklog, as), true},
		{"waits of a part of the time", of(pressure.ConsumerBound, pressure.CauseWaits, func(v *pressure.Verdict) { v.BothRan /= 2 }), false},
		{"waits, and more", of(pressure.ConsumerBound, pressure.CauseWaits, func(v *pressure.Verdict) { v.Lost = 1 }), false},
		{"bursts", of(pressure.Balanced, pressure.CauseBursts, as), false},
		{"a stop", of(pressure.Stopped, pressure.CauseSignal, as), false},
		{"a backlog in front of the producer", of(pressure.ConsumerBound, pressure.CauseWaits, due(5, false, as)), true},
		{"one that grows", of(pressure.ConsumerBound, pressure.CauseWaits, due(5, true, as)), false},
		{"nothing", pressure.Verdict{}, false},
	} {
		if got := RepeatsFigures(&c.v); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// constants returns the values of the constants of a type in a file of package pressure.
func constants(t *testing.T, path, typ string) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if named, ok := spec.Type.(*ast.Ident); ok && named.Name == typ {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		return true
	})
	if len(all) < 8 {
		t.Fatalf("%s has only %q", path, all)
	}
	return all
}

// Advice that is added to pressure needs words here.
func TestWords_EveryAdvice(t *testing.T) {
	for _, kind := range constants(t, "../../pressure/advice.go", "AdviceKind") {
		v := of(pressure.ConsumerBound, pressure.CauseWaits, as, pressure.AdviceKind(kind))
		if got := Advice(&v); got == kind || got == "" {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

func TestWords_EveryKind(t *testing.T) {
	for _, kind := range pressure.Kinds() {
		v := of(kind, "", as)
		if Reason(&v) == "" {
			t.Errorf("%s has none", kind)
		}
	}
}
