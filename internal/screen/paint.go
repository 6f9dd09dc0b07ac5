package screen

import (
	"charm.land/lipgloss/v2"

	"sluice/pressure"
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

// verdict is red where messages wait for somebody who has to come or hurry, yellow
// where the producer is held back.
func (s *Screen) verdict(k pressure.Kind) string {
	style := green
	switch k {
	case pressure.NoConsumer, pressure.Stalled, pressure.Growing:
		style = red
	case pressure.ConsumerBound:
		style = yellow
	case pressure.Idle, pressure.NoProducer:
		style = faint
	}
	return s.paint(style, string(k))
}
