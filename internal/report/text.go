package report

import (
	"fmt"
	"io"
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
		fmt.Fprintf(b, remark, r.Role, seconds(r.Elapsed), r.Verdict.Kind)
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
		fmt.Fprintf(b, "%s: %s\n", r.Verdict.Kind, r.Verdict.Why)
	} else {
		fmt.Fprintf(b, "%s\n", Sentence(r.Now, &r.Interval, &r.Verdict))
	}
	if t.verdict != r.Verdict.Kind && r.Verdict.Advice != "" {
		fmt.Fprintf(b, "%s\n", r.Verdict.Advice)
	}
	t.verdict = r.Verdict.Kind
}

func final(b *strings.Builder, r *Report) {
	fmt.Fprintf(b, "%s %q ran for %v\n", r.Role, r.Name, short(r.Elapsed))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	if s, i := r.Now, &r.Interval; s != nil {
		row("produced", "%s, %s", messages(i.Produced), humanize.IBytes(i.ProducedBytes))
		row("consumed", "%s, %s: %s msg/s, %s/s", messages(i.Consumed), humanize.IBytes(i.ConsumedBytes),
			Rate(i.Throughput), humanize.IBytes(uint64(float64(i.ConsumedBytes)/max(i.Elapsed.Seconds(), 1e-9))))
		if r.Role == layout.Producer.String() && s.Produced != i.Produced || r.Role == layout.Consumer.String() && s.Consumed != i.Consumed {
			row("ever", "%s produced and %s consumed in this segment", count(s.Produced), count(s.Consumed))
		}
		row("queue", "%s (%.0f %% of %s), at most %s", messages(s.Depth()), 100*s.Fill(), bound(s), messages(s.HighWater))
		row("producer", "blocked %s, %.0f %% of the time", times(i.ProducerWaits), 100*i.ProducerBlocked)
		row("consumer", "blocked %s, %.0f %% of the time", times(i.ConsumerWaits), 100*i.ConsumerBlocked)
		extras(row, s)
		if h := &i.Latency; h.Count > 0 {
			row("latency", "%s", Quantiles(h))
		}
	}
	row("verdict", "%s", r.Verdict.Kind)
	row("", "%s", r.Verdict.Why)
	if r.Verdict.Advice != "" {
		row("", "%s", r.Verdict.Advice)
	}
}

// because names what is in the way now.
func because(o layout.Obstacle) string {
	if o == layout.ObstacleNone {
		return ""
	}
	return fmt.Sprintf(": %v", o)
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
		return fmt.Sprintf("%d slots and %s", n, size)
	}
	return size
}

func count(n uint64) string { return humanize.Comma(int64(n)) }

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return count(n) + " times"
}

func messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return count(n) + " messages"
}

// Brief is a count in 6 characters or less.
func Brief(n uint64) string {
	if n < 100_000 {
		return count(n)
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
