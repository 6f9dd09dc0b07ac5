package tui

import (
	"fmt"
	"slices"
	"strings"

	"sluice/internal/format"
	"sluice/internal/observe/monitor"
	"sluice/internal/report"
)

// column is a column of the list, other than name and verdict, which are always there.
type column struct {
	head  string
	width int // negative = aligned left
	text  func(p *monitor.Pair) string
}

// columns is how many columns of the terminal it takes, with the space before it.
func (c column) columns() int { return 1 + max(c.width, -c.width) }

func (c column) cell(text string) string { return fmt.Sprintf(" %*s", c.width, text) }

// The columns.
var (
	mode   = column{"MODE", -8, func(p *monitor.Pair) string { return p.Now.Geometry.Mode.String() }}
	rate   = column{"MSG/S", 7, func(p *monitor.Pair) string { return format.Rate(p.LastSecond.Throughput) }}
	depth  = column{"DEPTH", 7, func(p *monitor.Pair) string { return format.ShortCount(p.Now.Depth()) }}
	fill   = column{"FILL", 5, func(p *monitor.Pair) string { return fillText(p) }}
	filled = column{"FILL", 10, func(p *monitor.Pair) string {
		if !p.Now.Bounded() {
			return fillText(p)
		}
		return gauge(p.Now.Fill()) + fmt.Sprintf("%5s", fillText(p))
	}}
	producerBlocked = column{"P.BLK", 5, func(p *monitor.Pair) string { return format.NarrowPercent(p.LastSecond.ProducerBlocked) }}
	consumerBlocked = column{"C.BLK", 5, func(p *monitor.Pair) string { return format.NarrowPercent(p.LastSecond.ConsumerBlocked) }}
)

// The columns of an open-loop load.
var (
	unsent      = column{"UNSENT", 7, func(p *monitor.Pair) string { return format.ShortCount(p.Now.Waiting()) }}
	latencyP99  = column{"LAT.P99", 7, func(p *monitor.Pair) string { return report.Quantile(&p.LastSecond.Latency, 0.99) }}
	responseP99 = column{"RESP.P99", 8, func(p *monitor.Pair) string { return report.Quantile(&p.LastSecond.Response, 0.99) }}
)

// fillText returns the share of the tighter bound in use, - without a bound.
func fillText(p *monitor.Pair) string {
	if !p.Now.Bounded() {
		return "-"
	}
	return format.NarrowPercent(p.Now.Fill())
}

// layouts are the sets of columns, the widest first: the list uses the first one that leaves room
// for the names.
var layouts = [][]column{
	{mode, rate, depth, filled, producerBlocked, consumerBlocked},
	{rate, depth, filled, producerBlocked, consumerBlocked},
	{rate, depth, fill, producerBlocked, consumerBlocked},
	{rate, depth, fill},
	{depth, fill},
	{fill},
	{},
}

// scheduledLayouts are likewise the sets where messages are due by a schedule.
var scheduledLayouts = [][]column{
	{mode, rate, depth, unsent, filled, producerBlocked, consumerBlocked, latencyP99, responseP99},
	{rate, depth, unsent, fill, latencyP99, responseP99},
	{rate, depth, unsent, responseP99},
	{depth, unsent, responseP99},
	{depth, unsent},
	{fill},
	{},
}

// minNameWidth is how many characters of a long name have to be shown.
const minNameWidth = 16

// layout returns the columns, and the width of the names.
func (s *Screen) layout() (columns []column, name int) {
	longest, verdict := len("NAME"), len("VERDICT")
	for _, p := range s.Pairs {
		longest = max(longest, len(p.Name))
		if p.Err == nil {
			verdict = max(verdict, len(p.Verdict.Kind))
		}
	}
	sets := layouts
	if monitor.AnyScheduled(s.Pairs) {
		sets = scheduledLayouts
	}
	for _, columns = range sets {
		name = s.Width - len("  ") - len("  ") - verdict
		for _, c := range columns {
			name -= c.columns()
		}
		if name >= min(longest, minNameWidth) {
			break
		}
	}
	return columns, min(max(name, len("NAME")), longest)
}

// list returns the headings and at most that many lines, the chosen pair among them. If there are
// more pairs, the last line says so.
func (s *Screen) list(rows int) []string {
	rows = max(1, rows)
	columns, width := s.layout()
	head := fmt.Sprintf("  %-*s", width, "NAME")
	for _, c := range columns {
		head += c.cell(c.head)
	}
	lines := []string{s.paint(faint, head+"  VERDICT")}
	var names []string
	for _, p := range s.Pairs {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	shown := clipNames(names, width)

	first, last := 0, len(s.Pairs)
	if last > rows {
		rows = max(1, rows-1)
		first = max(0, min(s.Chosen-rows/2, len(s.Pairs)-rows))
		last = first + rows
	}
	for i := first; i < last; i++ {
		p, mark := s.Pairs[i], "  "
		if i == s.Chosen && len(s.Pairs) > 1 {
			mark = "> "
		}
		// Not %-*s: an ellipsis has three bytes, and one column.
		line := mark + shown[p.Name] + strings.Repeat(" ", max(0, width-textWidth(shown[p.Name])))
		if p.Err != nil {
			lines = append(lines, line+"  "+s.paint(red, p.Reason()))
			continue
		}
		for _, c := range columns {
			line += c.cell(c.text(p))
		}
		lines = append(lines, line+"  "+s.verdict(p))
	}
	if more := len(s.Pairs) - (last - first); more > 0 && len(lines) > 1 {
		lines = append(lines, s.paint(faint, fmt.Sprintf("  %d more: %d above, %d below", more, first, len(s.Pairs)-last)))
	}
	return lines
}

// gauge draws a fill from 0 to 1 in five characters.
func gauge(fill float64) string {
	n := int(fill*5 + 0.5)
	return strings.Repeat("█", n) + strings.Repeat("░", 5-n)
}
