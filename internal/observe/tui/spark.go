package tui

import (
	"strings"
	"time"

	"sluice/internal/observe/monitor"
)

var levels = []rune(" ▁▂▃▄▅▆▇█")

// sparkline draws a figure over the last span as a line of that many columns, the
// newest on the right, between 0 and most (0 = the highest in view). A column is the
// highest value of its time, and columns stand still while they fill: their
// borders are multiples of their length.
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

// level is 0 for nothing, and at least 1 for something.
func level(v, most float64) int {
	if v <= 0 || most <= 0 {
		return 0
	}
	return max(1, min(len(levels)-1, int(v/most*float64(len(levels)-1)+0.5)))
}
