package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/layout"
	"sluice/pressure"
)

// text prints a line an interval, explains a verdict when it changes, and ends
// with a table.
type text struct {
	journal bool
	verdict pressure.Kind // the last one printed
	lines   int           // of figures, so far
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

// Lines are made for terminals of 80 columns. Waits are how often in the
// interval, and the share of the time.
const (
	headings = "%-8s %7s %6s %-8s %6s %11s %11s %s\n"
	columns  = "%-8s %7s %6s %s %6s %6s %3.0f%% %6s %3.0f%% %s\n"
	remark   = "%-8s %7s %s\n"
)

// headingEvery is the lines between two headings.
const headingEvery = 20

func (t *text) line(b *strings.Builder, r *Report) {
	s, i := r.Now, &r.Interval
	if t.journal {
		t.entry(b, r)
		return
	}
	if s == nil {
		fmt.Fprintf(b, remark, r.Role, seconds(r.Elapsed), kind(&r.Verdict))
	} else {
		if t.lines%headingEvery == 0 {
			fmt.Fprintf(b, headings, "", "time", "msg/s", "queue", "depth", "prod. waits", "cons. waits", "verdict")
		}
		t.lines++
		fmt.Fprintf(b, columns,
			r.Role, seconds(r.Elapsed), Rate(i.Throughput), gauge(s), Brief(s.Depth()),
			Brief(i.ProducerWaits), 100*i.ProducerBlocked, Brief(i.ConsumerWaits), 100*i.ConsumerBlocked, r.Verdict.Kind)
	}
	if t.verdict == r.Verdict.Kind {
		return
	}
	t.verdict = r.Verdict.Kind
	if s == nil || !r.Verdict.Figures {
		fmt.Fprintf(b, remark, r.Role, "", r.Verdict.Why)
	}
	if r.Verdict.Advice != "" {
		fmt.Fprintf(b, remark, r.Role, "", r.Verdict.Advice)
	}
}

// entry is a line of a journal, which has its own time and needs no columns.
func (t *text) entry(b *strings.Builder, r *Report) {
	if r.Now == nil {
		fmt.Fprintf(b, "%s: %s\n", kind(&r.Verdict), r.Verdict.Why)
	} else {
		fmt.Fprintf(b, "%s\n", Sentence(r.Now, &r.Interval, &r.Verdict))
	}
	if t.verdict != r.Verdict.Kind && r.Verdict.Advice != "" {
		fmt.Fprintf(b, "%s\n", r.Verdict.Advice)
	}
	t.verdict = r.Verdict.Kind
}

// worthSaying is how long a side waits for its segment before its last report mentions it.
const worthSaying = 100 * time.Millisecond

func final(b *strings.Builder, r *Report) {
	fmt.Fprintf(b, "%s %q ran for %v", r.Role, r.Name, short(r.Elapsed))
	if r.Waited >= worthSaying {
		fmt.Fprintf(b, "; the figures begin after %v, when there was a segment", short(r.Waited))
	}
	fmt.Fprintln(b)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	if s, i := r.Now, &r.Interval; s != nil {
		before := ""
		switch {
		case i.Waiting > 0 && r.Role == layout.Producer.String() && s.Geometry.Mode == layout.ModeTransfer:
			before = fmt.Sprintf("; %s left by an earlier producer", Messages(i.Waiting)) // and lost, but for what it had handed over
		case i.Waiting > 0:
			before = fmt.Sprintf("; %s waited from before", Messages(i.Waiting))
		}
		row("produced", "%s, %s%s", Messages(i.Produced), humanize.IBytes(i.ProducedBytes), before)
		row("consumed", "%s, %s: %s msg/s, %s/s", Messages(i.Consumed), humanize.IBytes(i.ConsumedBytes),
			Rate(i.Throughput), humanize.IBytes(uint64(float64(i.ConsumedBytes)/max(i.Elapsed.Seconds(), 1e-9))))
		if r.Role == layout.Producer.String() && s.Produced != i.Produced || r.Role == layout.Consumer.String() && s.Consumed != i.Consumed {
			row("ever", "%s produced and %s consumed in this segment", Count(s.Produced), Count(s.Consumed))
		}
		row("queue", "%s (%.0f %% of %s), at most %s", Messages(s.Depth()), 100*s.Fill(), bound(s), Messages(i.Deepest))
		row("producer", "blocked %s, %.0f %% of the time", times(i.ProducerWaits), 100*i.ProducerBlocked)
		row("consumer", "blocked %s, %.0f %% of the time", times(i.ConsumerWaits), 100*i.ConsumerBlocked)
		extras(row, s, i.Dropped, i.Refused, i.Lost)
		if h := &i.Latency; h.Count > 0 {
			row("latency", "%s", Quantiles(h))
		}
	}
	if r.Own != nil {
		passed := "produced"
		if r.Role == layout.Consumer.String() {
			passed = "consumed"
		}
		row(passed, "%s, by its own count", Messages(r.Own.Now))
	}
	row("verdict", "%s", kind(&r.Verdict))
	for _, line := range clauses(r.Verdict.Why) {
		row("", "%s", line)
	}
	for _, line := range clauses(r.Verdict.Advice) {
		row("", "%s", line)
	}
}

// clauses breaks a sentence that is longer than a line has room for, between its clauses.
func clauses(text string) (lines []string) {
	const width = 80 - 13
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

// kind is a verdict in a word.
func kind(v *pressure.Verdict) string { return cmp.Or(string(v.Kind), "unknown") }

// because names what was in the way of the producer last, which need not have refused
// anything.
func because(o layout.RefuseReason) string {
	if o == layout.RefuseNone {
		return ""
	}
	return fmt.Sprintf("; last reason: %v", o)
}

// gauge draws how full the tighter bound is.
func gauge(s *pressure.Snapshot) string {
	const width = 6
	full := int(s.Fill()*width + 0.5)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]"
}

func bound(s *pressure.Snapshot) string {
	if s.Geometry.Mode == layout.ModeTransfer {
		if s.Limit == 0 {
			return "no limit"
		}
		return humanize.IBytes(s.Limit)
	}
	size := humanize.IBytes(s.Geometry.Capacity)
	if n := s.Geometry.Slots; n > 0 {
		return fmt.Sprintf("%s slots and %s", Count(n), size)
	}
	return size
}

// Count is 1,234,567.
func Count(n uint64) string { return humanize.Comma(int64(min(n, math.MaxInt64))) }

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return Count(n) + " times"
}

func sends(n uint64) string {
	if n == 1 {
		return "1 send"
	}
	return Count(n) + " sends"
}

// Messages is 1 message, or 1,234 messages.
func Messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return Count(n) + " messages"
}

// Brief is a count in 6 characters or less.
func Brief(n uint64) string {
	if n < 100_000 {
		return Count(n)
	}
	return humanize.SIWithDigits(float64(n), 1, "")
}

// Rate is 1,234 or 12.3 M.
func Rate(perSec float64) string {
	if perSec < 1e5 {
		return humanize.CommafWithDigits(perSec, 0)
	}
	return humanize.SIWithDigits(perSec, 1, "")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// short is d with three digits or so.
func short(d time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit || unit > time.Hour { // a corrupt header may say anything
			return d.Round(unit)
		}
	}
}
