package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/internal/flow"
	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/verdict"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Of returns the report of an observer on the segment called name, of which lately is the last
// interval, v the verdict, and place where it stands among the others, nil when that is not known.
// An observer did not start with the segment: Elapsed is the segment's age, and Run what happened
// in it.
func Of(name string, now *pressure.Snapshot, lately *pressure.Interval, v pressure.Verdict, place *flow.Place) *Report {
	age := time.Since(now.Created)
	created := pressure.Snapshot{At: now.At - uint64(age), Geometry: now.Geometry}
	r := &Report{Sample: metrics.Sample{
		Role: "observer", Name: name, Mode: now.Geometry.Mode, Elapsed: age, Final: true,
		Now: now, Interval: *lately, Run: new(pressure.Between(&created, now)), End: streamEnd(now), Place: place,
	}}
	r.setVerdict(v)
	r.Advice = AdviceAt(place, &v)
	return r
}

// Observed prints the report of an observer for people: totals since the segment was created, and
// rates of the interval.
func Observed(out io.Writer, r *Report) error {
	s, i, all := r.Now, &r.Interval, r.Run
	var b strings.Builder
	row := func(name, text string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, fmt.Sprintf(text, args...))
	}
	model := ""
	if p := s.BackPressure(); p != "" {
		model = fmt.Sprintf(" (%s%s)", p, afterTimeout(s))
		if p == pressure.Soft { // until it is at its limit
			model = fmt.Sprintf(" (%s)", p)
		}
	}
	fmt.Fprintf(&b, "%s: %v%s, %s, created %s ago\n", shm.Path(r.Name), r.Mode, model, bound(s), format.Duration(r.Elapsed))
	row("verdict", "%s", r.Verdict.Kind)
	row("", "%s", r.Reason)
	if r.Advice != "" {
		row("", "%s", r.Advice)
	}
	placeRows(row, r.Name, r.Place)
	offeredRows(row, s, all)
	row("produced", "%s, %s; %s msg/s now", format.Messages(s.Produced), format.Size(s.ProducedBytes), format.Rate(perSecond(i.Produced, i.Elapsed)))
	row("consumed", "%s, %s; %s msg/s, %s/s now", format.Messages(s.Consumed), format.Size(s.ConsumedBytes),
		format.Rate(i.Throughput), format.Size(uint64(perSecond(i.ConsumedBytes, i.Elapsed))))
	most := ""
	if r.Mode == layout.ModeTransfer && !s.Producer.Alive && s.Depth() > 0 {
		most = "at most " // how much of it was sent before the producer died is unknown
	}
	row("queue", "%s%s, %s, %s; deepest %s", most, format.Messages(s.Depth()), format.Size(s.QueueBytes), fullness(s), verdict.Deepest(s.Deepest(), most != "" || s.Lost > 0))
	side(row, "producer", &s.Producer, i.ProducerBlocked)
	side(row, "consumer", &s.Consumer, i.ConsumerBlocked)
	bridgeRows(row, s)
	optionalRows(row, s, all)
	timeRows(row, all)
	if g := s.Geometry; g.Fixed() && g.Fingerprint != 0 {
		row("type", "fingerprint %#x of what the slots hold", g.Fingerprint)
	}
	row("memory", "%s%s", most, format.Size(s.Memory))
	_, err := io.WriteString(out, b.String())
	return err
}

func perSecond(n uint64, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }

func side(row func(name, text string, args ...any), name string, s *pressure.RoleStats, blocked float64) {
	row(name, "%s%s; blocked %s, %s in total, %s of the time now", metrics.Holder(s), state(s), format.Times(s.Waits), format.Duration(s.Blocked), format.Percent(blocked))
	row("", "%s satisfied by spinning; woke the other side %s; spurious wakes: %s", format.Number(s.Spins, "wait"), format.Times(s.WakesSent), format.Count(s.Spurious))
}

// state returns what a live side says that it does.
func state(s *pressure.RoleStats) string {
	if !s.Alive || s.Stopped {
		return ""
	}
	return ", " + s.State.String()
}

// QueueUse returns how much is in the queue, and how much it may hold.
func QueueUse(s *pressure.Snapshot) string {
	use := format.Size(s.QueueBytes)
	switch {
	case !s.Bounded():
		return use + " in use, no limit"
	case s.Geometry.Fixed():
		use = format.Count(s.Depth())
	}
	return fmt.Sprintf("%s of %s in use", use, bound(s))
}

// optionalRows prints the rows that only some segments have. The counts are of the same time as the
// other rows.
func optionalRows(row func(name, text string, args ...any), s *pressure.Snapshot, i *pressure.Interval) {
	refusals := format.Number(i.Refused, "send")
	if i.RefusedMessages > 0 {
		refusals += fmt.Sprintf(", %s given up", format.Messages(i.RefusedMessages))
	}
	if i.Dropped > 0 {
		row("dropped", "%s, because the %s was full%s", format.Messages(i.Dropped), queueName(s), waitsUpTo(s))
	}
	if s.Geometry.Mode != layout.ModeTransfer {
		if i.Refused > 0 {
			row("refused", "%s: the ring was full%s", refusals, waitsUpTo(s))
		}
		return
	}
	switch {
	case s.Limit == 0:
	case s.OnFull == layout.PolicyBlock:
		row("at limit", "the producer waits until no more than %s are in flight", format.Size(s.ResumeAt))
	case s.OnFull == layout.PolicyDrop:
		row("at limit", "messages are dropped%s", afterTimeout(s))
	case s.BlockTimeout > 0:
		row("at limit", "the producer fails%s", afterTimeout(s))
	}
	// The producer counts the descriptors. Those of messages that were released just now are not
	// closed yet, and some are kept for reuse.
	if inFlight := format.Size(s.QueueBytes); s.Depth() == 0 {
		row("in flight", "%s", inFlight)
	} else {
		row("in flight", "%s, %s of at most %s descriptors", inFlight, format.Count(s.Descriptors), format.Count(s.MaxDescriptors))
	}
	if i.Refused > 0 {
		row("refused", "%s%s", refusals, lastReason(s.RefuseReason))
	}
	if i.Lost > 0 {
		row("lost", "%s: queued by a producer that died or gave up", format.Messages(i.Lost))
	}
}

// afterTimeout says how long the producer waits for room before its policy; "" if it does not.
func afterTimeout(s *pressure.Snapshot) string {
	if s.BlockTimeout == 0 {
		return ""
	}
	return fmt.Sprintf(" after %v", s.BlockTimeout)
}

// waitsUpTo is afterTimeout for a number of messages: to a fan-out only the first of those that
// find a ring full is waited for.
func waitsUpTo(s *pressure.Snapshot) string {
	if s.BlockTimeout == 0 {
		return ""
	}
	return fmt.Sprintf("; a wait for room takes up to %v", s.BlockTimeout)
}

// queueName is what messages wait in.
func queueName(s *pressure.Snapshot) string {
	if s.Geometry.Mode == layout.ModeTransfer {
		return "queue"
	}
	return "ring"
}
