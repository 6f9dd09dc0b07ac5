package tui

import (
	"charm.land/lipgloss/v2"

	"sluice/internal/observe/monitor"
)

var (
	bold   = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	red    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	green  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	blue   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
)

func (s *Screen) paint(style lipgloss.Style, text string) string {
	if s.Plain {
		return text
	}
	return style.Render(text)
}

// severities are the colours of verdicts.
var severities = map[monitor.Severity]lipgloss.Style{monitor.Calm: faint, monitor.Good: green, monitor.Warn: yellow, monitor.Bad: red}

func (s *Screen) verdict(p *monitor.Pair) string {
	return s.paint(severities[p.Severity()], string(p.Verdict.Kind))
}
