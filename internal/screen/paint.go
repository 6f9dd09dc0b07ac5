package screen

import (
	"charm.land/lipgloss/v2"

	"sluice/internal/follow"
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
var severities = map[follow.Severity]lipgloss.Style{follow.Calm: faint, follow.Good: green, follow.Warn: yellow, follow.Bad: red}

func (s *Screen) verdict(p *follow.Pair) string {
	return s.paint(severities[p.Severity()], string(p.Verdict.Kind))
}
