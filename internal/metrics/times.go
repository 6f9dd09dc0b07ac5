package metrics

import (
	"strings"
	"time"

	"sluice/pressure"
)

// timed is a time of messages that has a histogram, and of which the table has the mean and some
// quantiles.
type timed struct {
	key  string // of the object
	from string // what the time is from and to
	csv  bool   // gauge record has its median and its p99
	of   func(i *pressure.Interval) *pressure.Histogram
}

var (
	latency = timed{"latency", "from published to received", true,
		func(i *pressure.Interval) *pressure.Histogram { return &i.Latency }}
	response = timed{"response", "from due to received", true,
		func(i *pressure.Interval) *pressure.Histogram { return &i.Response }}
	lateness = timed{"lateness", "from due to the beginning of their sending", false,
		func(i *pressure.Interval) *pressure.Histogram { return &i.Lateness }}
)

// rows are the metrics of the time: of the interval, or of the run if the prefix is "run.".
func (t timed) rows(prefix string) []Metric {
	when := "in the interval"
	if prefix != "" {
		when = "in the run"
	}
	row := func(name, help string, csv bool, of func(h *pressure.Histogram) time.Duration) Metric {
		help = strings.NewReplacer("FROM", t.from, "WHEN", when).Replace(help)
		return Metric{Key: prefix + t.key + "." + name, CSV: csv && t.csv && prefix == "", Unit: Nanoseconds, Help: help,
			get: func(s *Sample) Value {
				i := &s.Interval
				if prefix != "" {
					i = s.Run
				}
				if s.Now == nil || i == nil || t.of(i).Count == 0 {
					return Value{}
				}
				return Count(uint64(of(t.of(i))))
			}}
	}
	quantile := func(share string, q float64, csv bool) Metric {
		return row(quantileNames[q], share+" of the messages took no longer FROM WHEN, by a sample.", csv,
			func(h *pressure.Histogram) time.Duration { return h.Quantile(q) })
	}
	return []Metric{
		row("mean", "Mean time of messages FROM WHEN, by a sample.", false, (*pressure.Histogram).Mean),
		quantile("Half", 0.5, true), quantile("90 %", 0.9, false), quantile("99 %", 0.99, true), quantile("99.9 %", 0.999, false),
		row("max", "The longest time FROM WHEN, of a sample.", false, func(h *pressure.Histogram) time.Duration { return h.Max }),
	}
}

// quantileNames are their keys.
var quantileNames = map[float64]string{0.5: "p50", 0.9: "p90", 0.99: "p99", 0.999: "p999"}
