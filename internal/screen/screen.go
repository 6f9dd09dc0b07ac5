// Package screen draws segments under observation for a terminal: a line for each,
// and all about one of them. What it returns fits the size that it is given.
package screen

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"sluice/internal/follow"
	"sluice/internal/report"
	"sluice/pressure"
)

// Screen is what to draw and how.
type Screen struct {
	Name          string // of the only segment to show, empty for all
	Width, Height int    // columns and lines; Height 0 = as many lines as it takes
	Plain         bool
	Pairs         []*follow.Pair
	Chosen        int // index of the pair to show in full
	Paused        bool
	Interval      time.Duration // between two looks
	Span          time.Duration // that the sparklines show
	Now           time.Time
}

// The least height at which one pair is shown in full, and what that takes.
const (
	roomForAll = 16
	inFull     = 12
)

// Draw returns the lines of the screen, joined by line feeds.
func (s *Screen) Draw() string {
	lines := []string{s.title(), ""}
	if len(s.Pairs) == 0 {
		lines = append(lines, s.nothing()...)
	} else {
		rows, full := len(s.Pairs), true
		if s.Height > 0 {
			full = s.Height >= roomForAll
			rows = s.Height - len(lines) - 2 // headings and keys
			if full {
				rows -= inFull
			}
		}
		lines = append(lines, s.list(rows)...)
		if full {
			lines = append(lines, "")
			lines = append(lines, s.details(s.Pairs[s.Chosen])...)
		}
	}
	if s.Height > 0 {
		lines = lines[:min(len(lines), s.Height-1)]
		for len(lines) < s.Height-1 {
			lines = append(lines, "")
		}
		lines = append(lines, s.keys())
	}
	for i, l := range lines {
		lines[i] = lipgloss.NewStyle().MaxWidth(max(1, s.Width)).Render(strings.TrimRight(l, " "))
	}
	return strings.Join(lines, "\n")
}

// nothing says how to get something to see.
func (s *Screen) nothing() []string {
	says, name := "No segments yet.", ""
	if s.Name != "" {
		says, name = "No segment "+s.Name+" yet.", " --name "+s.Name
	}
	return []string{says + " In another terminal:", "", "    producer" + name, "    consumer" + name + " --work 1ms"}
}

func (s *Screen) title() string {
	what := fmt.Sprintf("%d segments", len(s.Pairs))
	if len(s.Pairs) == 1 {
		what = "1 segment"
	}
	right := fmt.Sprintf("every %v, %s", s.Interval, s.Now.Format(time.TimeOnly))
	if s.Paused {
		right = "PAUSED at " + s.Now.Format(time.TimeOnly)
	}
	return s.paint(bold, "sluice") + "  " + what + strings.Repeat(" ", max(1, s.Width-len("sluice  ")-len(what)-len(right))) + right
}

func (s *Screen) keys() string {
	pause := "pause"
	if s.Paused {
		pause = "go on"
	}
	return s.paint(faint, "up, down: choose   space: "+pause+"   q: quit")
}

// list is the headings and at most so many pairs, the chosen one among them.
func (s *Screen) list(rows int) []string {
	name := min(max(4, s.Width-66), s.longestName())
	lines := []string{s.paint(faint, fmt.Sprintf("  %-*s %-8s %7s %7s %10s %5s %5s  %s", name, "NAME", "MODE", "MSG/S", "DEPTH", "FILL", "P.BLK", "C.BLK", "VERDICT"))}
	first := max(0, min(s.Chosen-rows/2, len(s.Pairs)-rows))
	for i, p := range s.Pairs {
		if i < first || i >= first+max(1, rows) {
			continue
		}
		mark := "  "
		if i == s.Chosen && len(s.Pairs) > 1 {
			mark = "> "
		}
		if p.Err != nil {
			lines = append(lines, fmt.Sprintf("%s%-*s %s", mark, name, clip(p.Name, name), s.paint(red, p.Err.Error())))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s%-*s %-8v %7s %7s %s%4.0f%% %4.0f%% %4.0f%%  %s", mark, name, clip(p.Name, name), p.Now.Geometry.Mode,
			report.Rate(p.Lately.Throughput), report.Brief(p.Now.Depth()), gauge(p.Now.Fill()), 100*p.Now.Fill(),
			100*p.Lately.ProducerBlocked, 100*p.Lately.ConsumerBlocked, s.verdict(p.Verdict.Kind)))
	}
	return lines
}

func (s *Screen) longestName() int {
	longest := 4
	for _, p := range s.Pairs {
		longest = max(longest, len(p.Name))
	}
	return longest
}

// clip cuts a name that is too long; names are ASCII.
func clip(name string, width int) string {
	if len(name) <= width {
		return name
	}
	return name[:width-1] + "…"
}

// gauge is five characters of how full.
func gauge(fill float64) string {
	n := int(fill*5 + 0.5)
	return strings.Repeat("█", n) + strings.Repeat("░", 5-n)
}

// details is all about one pair, inFull lines or less.
func (s *Screen) details(p *follow.Pair) []string {
	if p.Err != nil {
		return []string{s.paint(bold, p.Name), "  " + p.Err.Error()}
	}
	now, lately := &p.Now, &p.Lately
	held := ""
	if d := p.Verdict.Held.Round(time.Second); d > 0 {
		held = fmt.Sprintf(" for %v", d)
	}
	lines := []string{
		fmt.Sprintf("%s  %s%s", s.paint(bold, p.Name), s.verdict(p.Verdict.Kind), held),
		"  " + p.Verdict.Why,
		"  " + p.Verdict.Advice,
		s.curve(p, "messages/s", report.Rate(lately.Throughput), 0, func(p follow.Point) float64 { return p.Throughput }),
		s.curve(p, "depth", report.Brief(now.Depth()), 0, func(p follow.Point) float64 { return float64(p.Depth) }),
		s.curve(p, "prod. blocked", percent(lately.ProducerBlocked), 1, func(p follow.Point) float64 { return p.ProducerBlocked }),
		s.curve(p, "cons. blocked", percent(lately.ConsumerBlocked), 1, func(p follow.Point) float64 { return p.ConsumerBlocked }),
		fmt.Sprintf("  %-14s %s", "latency", latency(&lately.Latency)),
		fmt.Sprintf("  %-14s producer %s, consumer %s", "sides", report.Whereabouts(&now.Producer), report.Whereabouts(&now.Consumer)),
		fmt.Sprintf("  %-14s %s", "queue", report.Holding(now)),
	}
	return lines
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// curve is a figure now and over the span.
func (s *Screen) curve(p *follow.Pair, name, now string, most float64, figure func(follow.Point) float64) string {
	const before = 2 + 14 + 1 + 9 + 2
	if len(p.History) < 2 {
		return fmt.Sprintf("  %-14s %9s", name, now)
	}
	return fmt.Sprintf("  %-14s %9s  %s", name, now, s.paint(blue, spark(p.History, figure, s.Now, s.Span, s.Width-before-1, most)))
}

func latency(h *pressure.Histogram) string {
	if h.Count == 0 {
		return "nothing was taken"
	}
	return report.Quantiles(h)
}
