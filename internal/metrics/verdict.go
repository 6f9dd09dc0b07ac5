package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pressure"
)

// verdicts is a state set: a series for each verdict there is, of which one is 1.
var verdicts = prometheus.NewDesc("sluice_verdict",
	"1 for the verdict on the segment, of the last second, and 0 for the others; none until the segment was seen for a while.",
	append(labels[:len(labels):len(labels)], "verdict"), nil)

func (c *Collector) collectVerdict(out chan<- prometheus.Metric, name, mode string) {
	kind, ok := c.verdict(name)
	if !ok {
		return
	}
	for _, k := range pressure.Kinds() {
		out <- prometheus.MustNewConstMetric(verdicts, prometheus.GaugeValue, oneIf(k == kind), name, mode, string(k))
	}
}
