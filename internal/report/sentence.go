package report

import (
	"fmt"
	"strings"

	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/verdict"
	"sluice/pressure"
)

// Sentence returns a report as one line that needs no heading: for systemctl status, and for a
// journal.
func Sentence(s *pressure.Snapshot, i *pressure.Interval, v *pressure.Verdict) string {
	r := &Report{Sample: metrics.Sample{Now: s, Interval: *i}}
	r.setVerdict(*v)
	return r.sentence()
}

func (r *Report) sentence() string {
	i := &r.Interval
	text := fmt.Sprintf("%s: %s msg/s, %s queued, %s; blocked: producer %s, consumer %s", r.Verdict.Kind, format.Rate(i.Throughput),
		format.Messages(r.Now.Depth()), fullness(r.Now), format.Percent(i.ProducerBlocked), format.Percent(i.ConsumerBlocked))
	for _, t := range []struct {
		name string
		h    *pressure.Histogram
	}{{"latency", &i.Latency}, {"response", &i.Response}} {
		if i.Response.Count > 0 && t.h.Count > 0 {
			text += fmt.Sprintf("; %s p50 %s, p99 %s", t.name, format.Duration(t.h.Quantile(0.5)), format.Duration(t.h.Quantile(0.99)))
		}
	}
	if n := r.Now.Waiting(); n > 0 {
		text += fmt.Sprintf("; %s unsent", format.Count(n))
	}
	reason := r.Reason
	if state := ShortBridge(r.Now); state != "-" {
		reason = strings.TrimPrefix(reason, verdict.Figures(&r.Verdict)+"; ")
		if !strings.Contains(reason, "bridge: ") {
			text += "; bridge: " + state
		}
		if lag := ShortLag(r.Now); lag != "-" {
			text += "; lag " + lag
		}
	}
	if !r.onlyFigures && reason != "" {
		text += "; " + reason
	}
	return text
}
