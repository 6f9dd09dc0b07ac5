package report

import (
	"fmt"
	"strings"

	"sluice/internal/format"
	"sluice/internal/verdict"
	"sluice/pressure"
)

const timesFormat = "%6s %6s %6s %6s %6s %6s"

// TimesHeading heads the columns of [Times].
var TimesHeading = fmt.Sprintf(timesFormat, "p50", "p90", "p99", "p99.9", "max", "mean")

// Times returns the usual quantiles, the longest and the mean time in columns.
func Times(h *pressure.Histogram) string {
	return fmt.Sprintf(timesFormat,
		format.Duration(h.Quantile(0.5)), format.Duration(h.Quantile(0.9)), format.Duration(h.Quantile(0.99)), format.Duration(h.Quantile(0.999)),
		format.Duration(h.Max), format.Duration(h.Mean()))
}

// Quantile returns a quantile of a time, - if none was measured.
func Quantile(h *pressure.Histogram, q float64) string {
	if h.Count == 0 {
		return "-"
	}
	return format.Duration(h.Quantile(q))
}

// NamedTimes are the times of an interval that there are, in the order in which they are shown.
func NamedTimes(i *pressure.Interval) (all []NamedTime) {
	for _, t := range []NamedTime{{"latency", &i.Latency}, {"response", &i.Response}, {"lateness", &i.Lateness}} {
		if t.Times.Count > 0 {
			all = append(all, t)
		}
	}
	return all
}

// NamedTime is a time of messages with its name.
type NamedTime struct {
	Name  string
	Times *pressure.Histogram
}

// timeRows prints the times of an interval, one beneath the other.
func timeRows(row func(name, text string, args ...any), i *pressure.Interval) {
	all := NamedTimes(i)
	if all != nil {
		row("", "%s", TimesHeading)
	}
	for _, t := range all {
		row(t.Name, "%s", Times(t.Times))
	}
	if text := Explained(i); text != "" {
		for _, line := range clauses(text, maxColumns-13) {
			row("", "%s", line)
		}
	}
}

// offeredRows prints what was offered in an interval by a schedule, and what of it is not sent.
func offeredRows(row func(name, text string, args ...any), s *pressure.Snapshot, i *pressure.Interval) {
	if !i.Scheduled {
		return
	}
	text := fmt.Sprintf("%s, %s msg/s", format.Messages(i.Offered), format.Rate(perSecond(i.Offered, i.Elapsed)))
	if i.UnsentGrowth < 0 {
		text += fmt.Sprintf("; %s more had been due before", format.Count(-i.UnsentGrowth))
	}
	if s.Schedule.InForce && s.Producer.Alive {
		text += fmt.Sprintf("; %s msg/s are due now", format.Rate(s.Schedule.Rate))
	}
	row("offered", "%s", text)
	name := "unsent"
	if n := s.Waiting(); n > 0 {
		row(name, "%s", verdict.Waiting(n))
		name = ""
	}
	if i.NotSent > 0 {
		row(name, "%s", verdict.NotSent(i.NotSent))
	}
}

// Explained returns that the lateness of the producer could explain the response; "" if it could
// not.
func Explained(i *pressure.Interval) string {
	var at []string
	for _, q := range i.LatenessExplains() {
		at = append(at, fmt.Sprintf("p%g", 100*q))
	}
	if at == nil {
		return ""
	}
	return "the producer itself was late by half of the response or more; this could explain it at " + strings.Join(at, ", ")
}
