package tui

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/observe/monitor"
	"sluice/internal/report"
	"sluice/internal/verdict"
)

// labelled is the format of a line with a label in a column of its own.
const labelled = "  %-14s %s"

// curveColumn is the column in which a curve begins: after the label and the current value.
const curveColumn = 2 + 14 + 1 + 9 + 2

// details returns everything about one pair in at most that many lines; 0 = no limit. If there is
// not room for all, the verdict and its reason stay.
func (s *Screen) details(p *monitor.Pair, most int) []string {
	if p.Err != nil {
		return append([]string{s.paint(bold, p.Name)}, s.indented("  ", p.Reason())...)
	}
	now, lately := &p.Now, &p.LastSecond
	held := ""
	if d := p.Verdict.Held.Round(time.Second); d > 0 {
		held = fmt.Sprintf(" for %v", d)
	}
	name := clipMiddle(p.Name, max(4, s.Width-2-len(p.Verdict.Kind)-len(held)))
	lines := []string{s.paint(bold, name) + "  " + s.verdict(p) + held}
	lines = append(lines, s.indented("  ", verdict.Reason(&p.Verdict))...)
	lines = append(lines, s.indented("  ", report.AdviceAt(p.Place, &p.Verdict))...)

	// In the order in which they are drawn. Those of the highest rank are left out first if there
	// is not room for all.
	parts := []struct {
		rank  int
		lines []string
	}{
		{1, s.place(p)},
		{3, s.curve(p, "messages/s", format.Rate(lately.Throughput), 0, func(p monitor.Point) float64 { return p.Throughput })},
		{4, s.curve(p, "depth", format.ShortCount(now.Depth()), 0, func(p monitor.Point) float64 { return float64(p.Depth) })},
		{4, s.unsent(p)},
		{5, s.curve(p, "prod. blocked", format.Percent(lately.ProducerBlocked), 1, func(p monitor.Point) float64 { return p.ProducerBlocked })},
		{6, s.curve(p, "cons. blocked", format.Percent(lately.ConsumerBlocked), 1, func(p monitor.Point) float64 { return p.ConsumerBlocked })},
		{3, s.scale(p)},
		{s.timesRank(p), s.times(p)},
		{1, s.labelledLines("sides", fmt.Sprintf("producer %s, consumer %s", metrics.Holder(&now.Producer), metrics.Holder(&now.Consumer)))},
		{2, s.labelledLines("queue", report.QueueUse(now))},
		{2, s.bridge(p)},
	}
	kept := 8
	count := func() (n int) {
		for _, part := range parts {
			if part.rank < kept {
				n += len(part.lines)
			}
		}
		return n
	}
	for most > 0 && kept > 0 && len(lines)+count() > most {
		kept--
	}
	for _, part := range parts {
		if part.rank < kept {
			lines = append(lines, part.lines...)
		}
	}
	if most > 0 && len(lines) > most {
		lines = lines[:max(1, most)]
	}
	return lines
}

// indented returns text wrapped to the width of the screen, each line after the prefix before.
func (s *Screen) indented(before, text string) (lines []string) {
	for _, l := range wrap(text, s.Width-len(before)) {
		lines = append(lines, before+l)
	}
	return lines
}

// labelledLines returns text after a label, wrapped to the width of the screen.
func (s *Screen) labelledLines(name, text string) (lines []string) {
	for _, l := range wrap(text, s.Width-2-14-1) {
		lines = append(lines, fmt.Sprintf(labelled, name, l))
		name = ""
	}
	return lines
}

// curve returns a line with the current value and the history of a metric.
func (s *Screen) curve(p *monitor.Pair, name, now string, most float64, figure func(monitor.Point) float64) []string {
	line := fmt.Sprintf("  %-14s %9s", name, now)
	if len(p.History) > 1 {
		line += "  " + s.paint(blue, sparkline(p.History, figure, s.Now, s.Span, s.curveWidth(), most))
	}
	return []string{line}
}

func (s *Screen) curveWidth() int { return s.Width - curveColumn - 1 }

// scale returns the time axis of the curves: their beginning, their middle, and now.
func (s *Screen) scale(p *monitor.Pair) []string {
	width := s.curveWidth()
	begin, half, now := ago(s.Span), ago(s.Span/2), "now"
	if len(p.History) < 2 || width < len(begin)+1+len(now) {
		return nil
	}
	line := begin
	if at := width/2 - len(half)/2; at > len(begin) && at+len(half) < width-len(now) {
		line += strings.Repeat(" ", at-len(begin)) + half
	}
	line += strings.Repeat(" ", width-len(line)-len(now)) + now
	return []string{strings.Repeat(" ", curveColumn) + s.paint(faint, line)}
}

// ago returns a time before now: 2 min ago, 30 s ago.
func ago(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min ago", d/time.Minute)
	}
	return fmt.Sprintf("%.0f s ago", d.Seconds())
}

// unsent returns the line of what is due and waits in front of the producer, nil without a
// schedule.
func (s *Screen) unsent(p *monitor.Pair) []string {
	if !p.Scheduled() {
		return nil
	}
	return s.curve(p, "unsent", format.ShortCount(p.Now.Waiting()), 0, func(p monitor.Point) float64 { return float64(p.Waiting) })
}

// times returns a line for each time that was measured in the last second. The lateness of the
// producer is shown where it could explain the response.
func (s *Screen) times(p *monitor.Pair) (lines []string) {
	i := &p.LastSecond
	all := report.NamedTimes(i)
	if all == nil {
		return s.labelledLines("latency", "no messages received")
	}
	lines = append(lines, s.paint(faint, fmt.Sprintf(labelled, "", report.TimesHeading)))
	for _, t := range all {
		if t.Times != &i.Lateness || i.LatenessExplains() != nil {
			lines = append(lines, fmt.Sprintf(labelled, t.Name, report.Times(t.Times)))
		}
	}
	return append(lines, s.labelledLines("", report.Explained(i))...)
}

// place returns the lines about the groups and the chain of the pair.
func (s *Screen) place(p *monitor.Pair) (lines []string) {
	for _, row := range report.PlaceRows(p.Name, p.Place) {
		lines = append(lines, s.labelledLines(row.Name, row.Text)...)
	}
	return lines
}

// bridge returns the lines about the bridges of the pair.
func (s *Screen) bridge(p *monitor.Pair) (lines []string) {
	for _, row := range report.BridgeRows(&p.Now) {
		lines = append(lines, s.labelledLines(row.Name, row.Text)...)
	}
	return lines
}

// timesRank is the rank of these lines: with a schedule there are two times to compare.
func (s *Screen) timesRank(p *monitor.Pair) int {
	if p.Scheduled() {
		return 3
	}
	return 7
}
