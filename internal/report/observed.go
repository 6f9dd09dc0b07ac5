package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/internal/follow"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Of is the report of an observer on a pair. An observer has no beginning of its own:
// Elapsed is the segment's age.
func Of(p *follow.Pair) *Report {
	return &Report{
		Role: "observer", Name: p.Name, Mode: p.Now.Geometry.Mode, Elapsed: time.Since(p.Now.Created), Final: true,
		Now: &p.Now, Interval: p.Lately, Verdict: p.Verdict,
	}
}

// Observed prints all that an observer sees of a segment, for people: totals since
// the segment was made, and rates of the report's interval.
func Observed(out io.Writer, r *Report) error {
	s, i := r.Now, &r.Interval
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s: %v, %s, made %v ago\n", shm.Path(r.Name), r.Mode, bound(s), short(r.Elapsed))
	row("verdict", "%s", r.Verdict.Kind)
	row("", "%s", r.Verdict.Why)
	if r.Verdict.Advice != "" {
		row("", "%s", r.Verdict.Advice)
	}
	row("produced", "%s, %s; %s msg/s now", messages(s.Produced), humanize.IBytes(s.ProducedBytes), Rate(perSecond(i.Produced, i.Elapsed)))
	row("consumed", "%s, %s; %s msg/s, %s/s now", messages(s.Consumed), humanize.IBytes(s.ConsumedBytes),
		Rate(i.Throughput), humanize.IBytes(uint64(perSecond(i.ConsumedBytes, i.Elapsed))))
	row("queue", "%s, %s, %.0f %% full; deepest %s", messages(s.Depth()), humanize.IBytes(s.QueueBytes), 100*s.Fill(), messages(s.HighWater))
	side(row, "producer", &s.Producer, i.ProducerBlocked)
	side(row, "consumer", &s.Consumer, i.ConsumerBlocked)
	extras(row, s)
	if h := &s.Latency; h.Count > 0 {
		row("latency", "%s", Quantiles(h))
	}
	row("memory", "%s", humanize.IBytes(s.Memory))
	_, err := io.WriteString(out, b.String())
	return err
}

func perSecond(n uint64, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }

func side(row func(name, format string, args ...any), name string, s *pressure.Side, blocked float64) {
	row(name, "%s, %v; slept %s, %v in all, %.0f %% of the time now", Whereabouts(s), s.State, times(s.Waits), short(s.Blocked), 100*blocked)
	row("", "%s waits without sleep, woke the other %s, was woken for nothing %s", count(s.Spins), times(s.Wakes), times(s.Spurious))
}

// Whereabouts says whether somebody holds a role: pid 123, ended, died, or none.
func Whereabouts(s *pressure.Side) string {
	switch {
	case s.Alive:
		return fmt.Sprintf("pid %d", s.PID)
	case s.Holders == 0:
		return "none"
	case s.State == layout.StateClosed:
		return "ended"
	}
	return "died"
}

// Holding says what is in the queue, and what it may hold.
func Holding(s *pressure.Snapshot) string {
	return fmt.Sprintf("%s of %s in use", humanize.IBytes(s.QueueBytes), bound(s))
}

// extras are the rows that only some segments have.
func extras(row func(name, format string, args ...any), s *pressure.Snapshot) {
	if s.Geometry.Mode != layout.ModeTransfer {
		if s.Dropped+s.Refused > 0 {
			row("full", "%s dropped, refused %s", messages(s.Dropped), times(s.Refused))
		}
		return
	}
	row("in flight", "%s, %s of at most %s descriptors", humanize.IBytes(s.QueueBytes), count(s.Descriptors), count(s.MaxDescriptors))
	if s.Refused > 0 {
		row("refused", "the way out, %s%s", times(s.Refused), because(s.Obstacle))
	}
	if s.Lost > 0 {
		row("lost", "%s, with a producer that died", messages(s.Lost))
	}
}

// Quantiles names the usual ones, in words.
func Quantiles(h *pressure.Histogram) string {
	return fmt.Sprintf("p50 %v  p90 %v  p99 %v  p99.9 %v  max %v",
		short(h.Quantile(0.5)), short(h.Quantile(0.9)), short(h.Quantile(0.99)), short(h.Quantile(0.999)), short(h.Max))
}
