package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/internal/format"
	"sluice/pressure"
)

// How figures are written in sentences, tables and pictures. The histograms are exact to about 3 %,
// so times have two digits or three.

// span writes a time: 2.6 s, 52 ms, 340 µs, 1.2 µs, 800 ns.
func span(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		// What would be rounded to 1000 of the unit below is 1 of this one.
		if x := float64(d) / float64(u.unit); x >= 0.9995 {
			return number(x) + " " + u.name
		}
	}
	if d <= 0 {
		return "0"
	}
	return fmt.Sprintf("%d ns", d)
}

// minutes writes a time of any length in its largest unit: 40 s, 7.9 min, 2.5 h.
func minutes(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return number(d.Hours()) + " h"
	case d >= 2*time.Minute:
		return number(d.Minutes()) + " min"
	}
	return span(d)
}

// number writes x with two digits, or as a whole number from 10 on.
func number(x float64) string {
	switch {
	case math.Round(x*10) >= 100:
		return format.Count(int64(math.Round(x)))
	case x >= 0.95 || x == 0:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	}
	return fmt.Sprintf("%.2g", x)
}

func count(n uint64) string          { return format.Count(n) }
func memory(bytes uint64) string     { return format.Size(bytes) }
func perSecond(bytes float64) string { return format.SI(bytes, "B/s") }

// rate writes messages a second: 940, 12.3 k, 104 M.
func rate(x float64) string {
	if x < 9999.5 {
		return count(uint64(math.Round(x)))
	}
	return format.SI(x, "")
}

func percent(x float64) string { return format.Percent(x) }

// measure is a kind of figure.
type measure interface {
	uint64 | float64 | time.Duration
}

// between writes the smallest and the largest value of the runs: "1.2 s to 1.3 s", or only one
// where both are written alike.
func between[T measure](runs []*Run, write func(T) string, value func(*Run) T) string {
	low, high := extremes(runs, value)
	if a, b := write(low), write(high); a != b {
		return a + " to " + b
	}
	return write(low)
}

// extremes returns the smallest and the largest value of the runs, which are not empty.
func extremes[T measure](runs []*Run, value func(*Run) T) (low, high T) {
	low = value(runs[0])
	high = low
	for _, r := range runs[1:] {
		low, high = min(low, value(r)), max(high, value(r))
	}
	return low, high
}

// most returns the largest value of the runs.
func most[T measure](runs []*Run, value func(*Run) T) T {
	_, high := extremes(runs, value)
	return high
}

// names lists the models of the runs: "hard and credit", "soft" for its three forms, and "every
// model" for all.
func names(runs []*Run) string {
	var all []string
	soft := 0
	for _, r := range runs {
		all = append(all, r.Model.Name)
		if r.Model.Kind == pressure.Soft {
			soft++
		}
	}
	if len(all) == len(Models) {
		return "every model"
	}
	if soft == 3 {
		all = append(slices.DeleteFunc(all, func(s string) bool { return strings.HasPrefix(s, "soft ") }), "soft")
	}
	return enumerate(all)
}

// enumerate writes a list: a, b and c.
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
