package pressure

import (
	"time"

	"sluice/layout"
)

// whole is what a Trend keeps of all the time since its first snapshot.
type whole struct {
	first, last       Snapshot
	kinds             map[Kind]time.Duration // how long each verdict was the current one
	stopped           [2]Bounds              // how long each role's process was seen not to run
	absent            [2]time.Duration       // how long no process held each role, at least
	bothRan           time.Duration          // how long both sides were alive and ran
	blocked           [2]time.Duration       // of that, how long each side waited
	limited           bool                   // a snapshot showed the queue at its limit
	deepest           uint64                 // most messages seen in the queue
	mostWaiting       uint64                 // most messages seen to wait in front of the producer
	droppedUnattended uint64                 // messages dropped while no consumer, or more than one, was there
	unconnected       Verdict                // the last one of kind Unconnected
	bridges           []bridgeTime           // the causes that bridges gave
}

func (w *whole) begin(s *Snapshot) {
	*w = whole{first: *s, last: *s, kinds: map[Kind]time.Duration{}, limited: s.LimitReached(), deepest: s.Depth(), mostWaiting: s.Waiting()}
}

// add accounts for the time since the last snapshot, at whose end the verdict is v.
func (w *whole) add(s *Snapshot, v *Verdict) {
	step := time.Duration(s.At - w.last.At)
	both := w.last.bothRun() && s.bothRun()
	if d := countsBetween(&w.last, s); !d.ConsumerStayed {
		w.droppedUnattended += d.Dropped
	}
	if both {
		w.bothRan += step
	}
	if both || !v.Kind.ofDegree() && v.Kind != Stalled { // which side is slower shows only when both are there
		w.kinds[v.Kind] += step
	}
	if v.Kind == Unconnected {
		w.unconnected = *v
	}
	if both {
		w.addBridge(step, v)
	}
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		w.stopped[r].add(stoppedBetween(&w.last, s, r))
		if was, is := w.last.side(r), s.side(r); !was.Alive && !is.Alive && was.Generation == is.Generation { // and no process came and went in between
			w.absent[r] += step
		}
		if both {
			w.blocked[r] += min(step, max(0, s.side(r).Blocked-w.last.side(r).Blocked))
		}
	}
	w.skip(s)
}

// stoppedBetween returns how long the process that holds a role did not run between two snapshots,
// if one of them shows it.
func stoppedBetween(before, after *Snapshot, r layout.Role) Bounds {
	step := time.Duration(after.At - before.At)
	was, is := before.side(r), after.side(r)
	switch {
	case after.notRunning(r) == "" && before.notRunning(r) == "":
		return Bounds{}
	case after.notRunning(r) == "" || is.OtherClock:
		return Bounds{Max: step}
	case before.notRunning(r) == "" || was.ProgressAt != is.ProgressAt: // it ran in between
		return Bounds{Max: min(step, after.noProgressFor(is))}
	}
	return Bounds{step, step}
}

// skip continues at s without accounting for the time since the last snapshot.
func (w *whole) skip(s *Snapshot) {
	w.limited = w.limited || s.LimitReached()
	w.deepest, w.mostWaiting = max(w.deepest, s.Depth()), max(w.mostWaiting, s.Waiting())
	if s.HighWater > w.first.HighWater { // reached in this time
		w.deepest = max(w.deepest, s.HighWater)
	}
	w.last = *s
}

// bothRun reports whether both sides are alive and run, or a consumer does and there are messages
// that a producer has left.
func (s *Snapshot) bothRun() bool {
	return s.Consumer.Alive && s.notRunning(layout.Consumer) == "" && s.notRunning(layout.Producer) == "" &&
		(s.Producer.Alive || s.Depth() > 0)
}

// AddStopped adds to the time for which the process that holds role r did not run. It is for that
// process itself, which takes no snapshots while it is stopped.
func (t *Trend) AddStopped(r layout.Role, d Bounds) { t.whole.stopped[r].add(d) }

// Whole returns what happened since the first snapshot, and the verdict on all of it, for the
// process that holds role r and whose run ends now. It takes into account what the snapshots in
// between have shown: a process that was stopped, a queue that was at its limit, and which side was
// slower for most of the time.
func (t *Trend) Whole(r layout.Role) (Interval, Verdict) {
	w := &t.whole
	i := Between(&w.first, &w.last)
	i.Deepest = max(i.Deepest, w.deepest)
	after := w.last
	v := w.judge(&i, &after, r)
	v.Whole, v.Held, v.Grows, v.FullIn = true, 0, false, 0
	if p := &after.Producer; r == layout.Consumer && v.Kind != NoProducer && (p.End == layout.EndStopped || p.End == layout.EndFailed) {
		v.LastProducer = after.lastProducer()
	}
	v.Lost, v.NotSent, v.MostWaiting = i.Lost, i.NotSent, after.Schedule.notable(w.mostWaiting)
	return i, v
}

func (w *whole) judge(i *Interval, after *Snapshot, r layout.Role) Verdict {
	if w.kinds[Unconnected] > 0 && (i.Consumed == 0 || 2*w.kinds[Unconnected] > i.Elapsed) {
		return w.unconnected
	}
	if i.Consumed == 0 && i.Elapsed > attachTime && after.Depth() > 0 && after.Disconnected() { // also when the last snapshots did not show it
		return notConnected(i, after)
	}
	transfer := after.Geometry.Mode == layout.ModeTransfer
	if r == layout.Producer && transfer && !after.Consumer.Alive && after.Depth() > 0 {
		return conclude(NoConsumer, CauseUndelivered, i, after, AdviceStartConsumer)
	}
	var atEnd *Verdict
	if v, ok := absent(i, after); ok {
		if away := w.absent[layout.Producer] + w.absent[layout.Consumer]; i.Produced == 0 || i.Consumed == 0 || 2*away > i.Elapsed {
			return v
		}
		atEnd = &v
	}
	v := w.slower(i, after)
	v.AtEnd = atEnd
	if away := w.absent[layout.Consumer]; share(away, i.Elapsed) >= Noticeable {
		if 2*away > i.Elapsed {
			v = conclude(NoConsumer, CauseLate, i, after, AdviceStartSooner)
			v.AtEnd = atEnd
		}
		v.ConsumerAbsentFor = away
	}
	// Only where nothing was left to receive for most of it.
	if away := w.absent[layout.Producer]; r == layout.Consumer && i.Elapsed > attachTime && share(away, i.Elapsed) >= Noticeable && w.bothRan < i.Elapsed-away/2 {
		v.ProducerAbsentFor = away
	}
	return v
}

// whileBothRan returns the interval without the time in which a side was not there or did not run,
// for what the waits of each side mean; all of it when that is most of it.
func (w *whole) whileBothRan(i *Interval) Interval {
	j := *i
	if share(w.bothRan, i.Elapsed) > 1-Noticeable || w.bothRan == 0 {
		return j
	}
	j.Elapsed, j.wholeElapsed = w.bothRan, i.Elapsed
	j.ProducerBlocked = share(w.blocked[layout.Producer], w.bothRan)
	j.ConsumerBlocked = share(w.blocked[layout.Consumer], w.bothRan)
	return j
}

// slower returns the verdict on which side was slower, and how long each was stopped.
func (w *whole) slower(i *Interval, after *Snapshot) Verdict {
	v := w.slowerOf(i, after)
	w.withBridges(&v, i)
	v.ProducerStoppedFor, v.ConsumerStoppedFor = w.stopped[layout.Producer], w.stopped[layout.Consumer]
	return v
}

func (w *whole) slowerOf(i *Interval, after *Snapshot) Verdict {
	both := w.whileBothRan(i)
	slower := w.kinds[ConsumerBound] + w.kinds[Growing] + w.kinds[Stalled]
	bound := bound("", &both, after, true)
	switch {
	case i.idle(after):
		return conclude(Idle, "", i, after)
	case w.limited || after.RefuseReason == layout.RefuseMemoryLimit:
		v := atLimit(i, after)
		v.Deepest = w.deepest
		return v
	case i.Dropped > 0:
		there := *i
		there.ConsumerStayed = 2*w.droppedUnattended < i.Dropped // when it mattered
		return overflowed(&there, after)
	case w.stopped[layout.Consumer].Max > 0:
		v := conclude(Balanced, CauseStopped, i, after)
		if i.ProducerBlocked >= minBurst {
			v.Kind = ConsumerBound
			v.Missed, _ = missed(i, after)
		}
		return v
	case i.grows(after):
		v := conclude(ConsumerBound, CauseFills, i, after, AdviceSpeedUpConsumer, AdviceKeepCapacity)
		v.Deepest = w.deepest
		return v
	case 2*slower >= both.Elapsed && both.Elapsed > minInterval && (bound.Kind != ConsumerBound || both.backlog(after.Depth())):
		v := conclude(ConsumerBound, CauseBehind, &both, after)
		v.SlowerFor, v.Deepest = slower, w.deepest
		if !v.Shrinks {
			v.Advice = advise(AdviceSpeedUpConsumer, AdviceKeepCapacity)
		}
		return v
	case bound.Kind == Balanced && both.ConsumerBlocked < Noticeable && both.backlog(w.deepest):
		bound.Kind, bound.Cause, bound.Advice = ConsumerBound, CauseBacklog, advise(AdviceSpeedUpConsumer, AdviceKeepCapacity)
		bound.Deepest = w.deepest
	case bound.Kind == ProducerBound && both.ProducerBlocked >= Noticeable:
		bound.Kind = Balanced
		if bound.Cause == CauseWaits {
			bound.Cause = CauseBothWait
		}
	}
	return bound
}
