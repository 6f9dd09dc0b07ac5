// Package tui draws segments for a terminal: a line for each, and the details of one of them.
// What it returns fits the given size.
package tui

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"sluice/internal/format"
	"sluice/internal/observe/monitor"
)

// Screen is what to draw and how.
type Screen struct {
	Names         []string // and patterns of the segments to show; none = all
	Width, Height int      // columns and lines; Height 0 = as many lines as it takes
	Plain         bool     // without colours
	ASCII         bool     // for a terminal that shows only ASCII
	Pairs         []*monitor.Pair
	Omitted       int // segments that are not in Pairs
	Chosen        int // index of the pair whose details are shown
	Paused        bool
	Interval      time.Duration // between two polls
	Span          time.Duration // of the sparklines
	Now           time.Time
}

// minHeightForDetails is the least height at which the details of a pair are shown, and
// minRows how many lines of the list remain then.
const (
	minHeightForDetails = 14
	minRows             = 4
)

// Draw returns the lines of the screen, joined by line feeds.
func (s *Screen) Draw() string {
	lines := []string{s.title(), ""}
	switch {
	case len(s.Pairs) == 0:
		lines = append(lines, s.noSegments()...)
	case s.Height == 0:
		lines = append(lines, s.list(len(s.Pairs))...)
		lines = append(lines, "")
		lines = append(lines, s.details(s.Pairs[s.Chosen], 0)...)
	default:
		room := s.Height - len(lines) - 2 // headings and keys
		var details []string
		if s.Height >= minHeightForDetails {
			details = s.details(s.Pairs[s.Chosen], room-1-min(len(s.Pairs), max(minRows, room/3)))
			room -= 1 + len(details)
		}
		lines = append(lines, s.list(room)...)
		if details != nil {
			lines = append(append(lines, ""), details...)
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
		lines[i] = s.fit(l)
	}
	return strings.Join(lines, "\n")
}

// fit cuts a line that is too long, marks that, and replaces what the terminal cannot show.
func (s *Screen) fit(line string) string {
	line = ansi.Truncate(strings.TrimRight(line, " "), max(1, s.Width), ellipsis)
	if s.ASCII {
		line = toASCII(line)
	}
	return line
}

// noSegments returns what is shown when there are no segments: how to create one.
func (s *Screen) noSegments() []string {
	says, name := "No segments yet.", ""
	if len(s.Names) > 0 {
		says = "No segment " + strings.Join(s.Names, " or ") + " yet."
		name = " --name " + strings.ReplaceAll(s.Names[0], "*", "1")
	}
	return []string{says + " In another terminal:", "", "    producer" + name, "    consumer" + name + " --work 1ms"}
}

func (s *Screen) title() string {
	what := format.Number(len(s.Pairs), "segment")
	if s.Omitted > 0 {
		what = fmt.Sprintf("%d of %s segments", len(s.Pairs), format.Count(len(s.Pairs)+s.Omitted))
	}
	right := fmt.Sprintf("every %v, %s", s.Interval, s.Now.Format(time.TimeOnly))
	if s.Paused {
		right = "PAUSED at " + s.Now.Format(time.TimeOnly)
	}
	space := s.Width - len("sluice  ") - len(what) - len(right)
	if space < 2 && !s.Paused {
		right, space = "", 0
	}
	return s.paint(bold, "sluice") + "  " + what + strings.Repeat(" ", max(1, space)) + right
}

func (s *Screen) keys() string {
	pause := "pause"
	if s.Paused {
		pause = "continue"
	}
	return s.paint(faint, "up, down: choose   space: "+pause+"   q: quit")
}

// wrap breaks text at spaces into lines of at most that many columns.
func wrap(text string, columns int) []string {
	if text == "" {
		return nil
	}
	return strings.Split(lipgloss.Wrap(text, max(1, columns), ""), "\n")
}
