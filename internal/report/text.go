package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/pressure"
)

// text prints a line an interval, explains a verdict when it changes, and ends
// with a table.
type text struct {
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

// heading names the columns; waits are how often in the interval, and the share
// of the time.
const heading = "              time      msg/s  queue            depth   producer waits   consumer waits\n"

// headingEvery is the lines between two headings.
const headingEvery = 20

func (t *text) line(b *strings.Builder, r *Report) {
	s, i := r.Now, &r.Interval
	if s == nil {
		fmt.Fprintf(b, "%-8s %7s  %s\n", r.Role, seconds(r.Elapsed), r.Verdict.Kind)
	} else {
		if t.lines%headingEvery == 0 {
			b.WriteString(heading)
		}
		t.lines++
		fmt.Fprintf(b, "%-8s %7s  %9s  %s %9s  %8s %3.0f %%    %8s %3.0f %%   %s\n",
			r.Role, seconds(r.Elapsed), rate(i.Throughput), gauge(s), count(s.Depth()),
			count(i.ProducerWaits), 100*i.ProducerBlocked, count(i.ConsumerWaits), 100*i.ConsumerBlocked, r.Verdict.Kind)
	}
	if t.verdict != r.Verdict.Kind {
		t.verdict = r.Verdict.Kind
		fmt.Fprintf(b, "%-8s %7s  %s\n", r.Role, "", explain(r.Verdict))
	}
}

func final(b *strings.Builder, r *Report) {
	fmt.Fprintf(b, "%s %q ran for %s\n", r.Role, r.Name, seconds(r.Elapsed))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	if s, i := r.Now, &r.Interval; s != nil {
		row("produced", "%s, %s", messages(s.Produced), humanize.IBytes(s.ProducedBytes))
		row("consumed", "%s, %s msg/s while this %v ran", messages(s.Consumed), rate(i.Throughput), r.Role)
		row("queue", "%s (%.0f %% of %s), at most %s", messages(s.Depth()), 100*s.Fill(), bound(s), messages(s.HighWater))
		row("producer", "blocked %s, %s (%.0f %% of this run)", times(s.Producer.Waits), seconds(s.Producer.Blocked), 100*i.ProducerBlocked)
		row("consumer", "blocked %s, %s (%.0f %% of this run)", times(s.Consumer.Waits), seconds(s.Consumer.Blocked), 100*i.ConsumerBlocked)
		if s.Dropped+s.Refused > 0 {
			row("full", "%s dropped, refused %s", messages(s.Dropped), times(s.Refused))
		}
		if h := &i.Latency; h.Count > 0 {
			row("latency", "p50 %v  p90 %v  p99 %v  p99.9 %v  max %v",
				short(h.Quantile(0.5)), short(h.Quantile(0.9)), short(h.Quantile(0.99)), short(h.Quantile(0.999)), short(h.Max))
		}
	}
	row("verdict", "%s: %s", r.Verdict.Kind, explain(r.Verdict))
}

func explain(v pressure.Verdict) string {
	if v.Advice == "" {
		return v.Why
	}
	return v.Why + "; " + v.Advice
}

// gauge draws how full the tighter bound is.
func gauge(s *pressure.Snapshot) string {
	const width = 10
	full := int(s.Fill()*width + 0.5)
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "]"
}

func bound(s *pressure.Snapshot) string {
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

// rate is 1,234 or 12.3 M.
func rate(perSec float64) string {
	if perSec < 1e5 {
		return humanize.CommafWithDigits(perSec, 0)
	}
	return humanize.SIWithDigits(perSec, 1, "")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// short is d with three digits or so.
func short(d time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
}
