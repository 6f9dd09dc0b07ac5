package tui

import (
	"strings"
	"time"

	"sluice/internal/observe/monitor"
)

var levels = []rune(" ▁▂▃▄▅▆▇█")

// sparkline draws the values of the last span in a line of that many columns, the newest on the
// right, scaled from 0 to most (0 = the highest value in view). A column is the highest value
// of its part of the span. Columns begin at multiples of their duration, so that they do not
// shift while they fill.
func sparkline(history []monitor.Point, figure func(monitor.Point) float64, now time.Time, span time.Duration, columns int, most float64) string {
	if columns <= 0 {
		return ""
	}
	each := max(span/time.Duration(columns), 1)
	last := now.UnixNano() / int64(each)
	values := make([]float64, columns)
	for _, p := range history {
		if i := columns - 1 - int(last-p.At.UnixNano()/int64(each)); i >= 0 && i < columns {
			values[i] = max(values[i], figure(p))
		}
	}
	if most == 0 {
		for _, v := range values {
			most = max(most, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(levels[level(v, most)])
	}
	return b.String()
}

// level returns the index into levels: 0 for 0, and at least 1 for anything more.
func level(v, most float64) int {
	if v <= 0 || most <= 0 {
		return 0
	}
	return max(1, min(len(levels)-1, int(v/most*float64(len(levels)-1)+0.5)))
}
