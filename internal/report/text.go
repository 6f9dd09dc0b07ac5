package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/internal/format"
	"sluice/internal/verdict"
	"sluice/layout"
	"sluice/pressure"
)

// text prints a line per interval, explains the verdict when it changes, and ends with a table.
type text struct {
	journal bool
	verdict pressure.Kind // the last one printed
	lines   int           // with figures since the columns changed
	columns columnSet     // of the last line
}

// columnSet is which columns a line has.
type columnSet int

// The sets of columns.
const (
	columnsOfWaits columnSet = iota
	columnsOfTimes
	columnsOfBridge
)

// columnsFor returns the columns that say most about a report.
func columnsFor(r *Report) columnSet {
	switch {
	case r.bridge() != nil:
		return columnsOfBridge
	case r.Interval.Scheduled:
		return columnsOfTimes
	}
	return columnsOfWaits
}

func (t *text) print(out io.Writer, r *Report) error {
	var b strings.Builder
	if r.Final {
		final(&b, r)
	} else {
		t.line(&b, r)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// maxColumns is how wide lines are, as far as their texts can be broken.
const maxColumns = 80

// A side's waits are how often it was blocked in the interval, and the share of the time.
const (
	headings = "%-8s %7s %6s %-8s %6s %11s %11s %s\n"
	columns  = "%-8s %7s %6s %s %6s %6s %4s %6s %4s %s\n"
	remark   = "%-8s %7s %s\n"
)

// With a schedule, how long the messages took says more than the waits of the sides.
const (
	timesHeading = "%48s%15s\n" // over the columns of each time
	timesColumns = "%-8s %7s %6s %6s %6s %6s %6s %6s %6s %s\n"
)

// headingEvery is the number of lines between two headings.
const headingEvery = 20

func (t *text) line(b *strings.Builder, r *Report) {
	s := r.Now
	if t.journal {
		t.entry(b, r)
		return
	}
	if s == nil {
		fmt.Fprintf(b, remark, r.Role, format.Seconds(r.Elapsed), kind(&r.Verdict))
	} else {
		if columns := columnsFor(r); columns != t.columns {
			t.columns, t.lines = columns, 0
		}
		heading := t.lines%headingEvery == 0
		t.lines++
		switch t.columns {
		case columnsOfBridge:
			t.bridgeLine(b, r, heading)
		case columnsOfTimes:
			t.timesLine(b, r, heading)
		default:
			t.waitsLine(b, r, heading)
		}
	}
	if t.verdict == r.Verdict.Kind {
		return
	}
	t.verdict = r.Verdict.Kind
	if s == nil || !r.onlyFigures || t.columns != columnsOfWaits {
		fmt.Fprintf(b, remark, r.who(), "", r.Reason)
	}
	if r.Advice != "" {
		fmt.Fprintf(b, remark, r.who(), "", r.Advice)
	}
}

// waitsLine is a line with the waits of the sides.
func (t *text) waitsLine(b *strings.Builder, r *Report, heading bool) {
	s, i := r.Now, &r.Interval
	if heading {
		fmt.Fprintf(b, headings, "", "time", "msg/s", "queue", "depth", "prod. waits", "cons. waits", "verdict")
	}
	fmt.Fprintf(b, columns,
		r.Role, format.Seconds(r.Elapsed), format.Rate(i.Throughput), gauge(s), format.ShortCount(s.Depth()),
		format.ShortCount(i.ProducerWaits), format.NarrowPercent(i.ProducerBlocked), format.ShortCount(i.ConsumerWaits), format.NarrowPercent(i.ConsumerBlocked), r.Verdict.Kind)
}

// timesLine is a line with the two times, where messages are due by a schedule.
func (t *text) timesLine(b *strings.Builder, r *Report, heading bool) {
	s, i := r.Now, &r.Interval
	if heading {
		fmt.Fprintf(b, timesHeading, "latency", "response")
		fmt.Fprintf(b, timesColumns, "", "time", "msg/s", "unsent", "depth", "p50", "p99", "p50", "p99", "verdict")
	}
	fmt.Fprintf(b, timesColumns, r.Role, format.Seconds(r.Elapsed), format.Rate(i.Throughput), format.ShortCount(s.Waiting()), format.ShortCount(s.Depth()),
		Quantile(&i.Latency, 0.5), Quantile(&i.Latency, 0.99), Quantile(&i.Response, 0.5), Quantile(&i.Response, 0.99), r.Verdict.Kind)
}

// entry is a line of a journal, which has its own time and needs no columns.
func (t *text) entry(b *strings.Builder, r *Report) {
	if r.Now == nil {
		fmt.Fprintf(b, "%s: %s\n", kind(&r.Verdict), r.Reason)
	} else {
		fmt.Fprintln(b, r.sentence())
	}
	if t.verdict != r.Verdict.Kind && r.Advice != "" {
		fmt.Fprintln(b, r.Advice)
	}
	t.verdict = r.Verdict.Kind
}

// minWaitShown is how long it takes a side to join its segment before its last report mentions it;
// in a short run, a tenth of it is enough.
const minWaitShown = 100 * time.Millisecond

func final(b *strings.Builder, r *Report) {
	who := r.Role
	if r.bridge() != nil {
		who = "bridge " + r.who()
	}
	fmt.Fprintf(b, "%s %q ran for %s", who, r.Name, format.Duration(r.Elapsed))
	if r.Waited >= minWaitShown || r.Waited >= time.Millisecond && r.Waited > r.Elapsed/10 {
		fmt.Fprintf(b, "; the figures begin after %s, when it joined the segment", format.Duration(r.Waited))
	}
	fmt.Fprintln(b)
	row := func(name, text string, args ...any) {
		fmt.Fprintf(b, "  %-10s %s\n", name, fmt.Sprintf(text, args...))
	}
	if s, i := r.Now, &r.Interval; s != nil {
		before := ""
		switch {
		case i.DepthBefore > 0 && r.Role == layout.Producer.String() && s.Geometry.Mode == layout.ModeTransfer:
			before = fmt.Sprintf("; %s left by an earlier producer", format.Messages(i.DepthBefore)) // and lost, except what it had sent
		case i.DepthBefore > 0:
			before = fmt.Sprintf("; %s queued before", format.Messages(i.DepthBefore))
		}
		offeredRows(row, s, i)
		row("produced", "%s, %s%s", format.Messages(i.Produced), format.Size(i.ProducedBytes), before)
		row("consumed", "%s, %s: %s msg/s, %s/s", format.Messages(i.Consumed), format.Size(i.ConsumedBytes),
			format.Rate(i.Throughput), format.Size(uint64(float64(i.ConsumedBytes)/max(i.Elapsed.Seconds(), 1e-9))))
		if r.Role == layout.Producer.String() && s.Produced != i.Produced || r.Role == layout.Consumer.String() && s.Consumed != i.Consumed {
			row("in total", "%s produced and %s consumed in this segment", format.Count(s.Produced), format.Count(s.Consumed))
		}
		use := bound(s)
		if s.Bounded() {
			use = format.Percent(s.Fill()) + " of " + use
		}
		row("queue", "%s (%s), at most %s", format.Messages(s.Depth()), use, verdict.Deepest(i.Deepest, i.Lost > 0))
		row("producer", "blocked %s, %s of the time", format.Times(i.ProducerWaits), format.Percent(i.ProducerBlocked))
		row("consumer", "blocked %s, %s of the time", format.Times(i.ConsumerWaits), format.Percent(i.ConsumerBlocked))
		bridgeRows(row, s)
		optionalRows(row, s, i)
		timeRows(row, i)
	}
	if r.Own != nil {
		passed := "produced"
		if r.Role == layout.Consumer.String() {
			passed = "consumed"
		}
		row(passed, "%s, by its own count", format.Messages(r.Own.Run))
	}
	row("verdict", "%s", kind(&r.Verdict))
	for _, line := range clauses(r.Reason, maxColumns-13) {
		row("", "%s", line)
	}
	for _, line := range clauses(r.Advice, maxColumns-13) {
		row("", "%s", line)
	}
}

// clauses breaks a sentence that is too long for a line of that width between its clauses.
func clauses(text string, width int) (lines []string) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, "; ") {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+len("; ")+len(part) <= width {
			lines[last] += "; " + part
		} else if last >= 0 {
			lines[last] += ";"
			lines = append(lines, part)
		} else {
			lines = append(lines, part)
		}
	}
	return lines
}

// kind returns the verdict as a word.
func kind(v *pressure.Verdict) string { return cmp.Or(string(v.Kind), "unknown") }

// lastReason names why the producer could not send last, which need not be the reason of any of
// the sends that are counted as refused.
func lastReason(o layout.RefuseReason) string {
	if o == layout.RefuseNone {
		return ""
	}
	return fmt.Sprintf("; last reason: %v", o)
}

// fullness returns how much of the tighter bound is in use.
func fullness(s *pressure.Snapshot) string {
	if !s.Bounded() {
		return "no limit"
	}
	return format.Percent(s.Fill()) + " full"
}

// gauge draws how much of the tighter bound is in use, in 8 characters.
func gauge(s *pressure.Snapshot) string {
	if !s.Bounded() {
		return "no limit"
	}
	return fillBar(s.Fill())
}

// fillBar draws a share in 8 characters.
func fillBar(share float64) string {
	const width = 6
	full := int(share*width + 0.5)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]"
}

// bound returns how much the queue may hold.
func bound(s *pressure.Snapshot) string {
	if s.Geometry.Mode == layout.ModeTransfer {
		if s.Limit == 0 {
			return "no limit"
		}
		return format.Size(s.Limit)
	}
	g := s.Geometry
	switch size := format.Size(g.Capacity); {
	case g.Fixed():
		return fmt.Sprintf("%s of %s", format.Number(g.MaxMessages(), "slot"), format.Size(g.SlotSize))
	case g.Slots > 0:
		return fmt.Sprintf("%s slots and %s", format.Count(g.Slots), size)
	default:
		return size
	}
}
