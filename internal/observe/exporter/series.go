package exporter

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/metrics"
)

// series is a metric of package metrics as Prometheus has it.
type series struct {
	*metrics.Metric
	desc *prometheus.Desc
}

// labels are those of every series of a segment. Its name has passed shm.CheckName, so it is
// valid as a label.
var labels = []string{"name", "mode"}

var allSeries = func() (all []series) {
	for i := range metrics.Table {
		m := &metrics.Table[i]
		if m.Series == "" {
			continue
		}
		names := labels
		if m.Type == metrics.StateSet {
			names = append(labels[:len(labels):len(labels)], m.Label())
		}
		all = append(all, series{m, prometheus.NewDesc(m.Series, m.Help, names, nil)})
	}
	return all
}()

// collect gives what is known of the segment.
func (s *series) collect(out chan<- prometheus.Metric, of *metrics.Sample) {
	name, mode := of.Name, of.Mode.String()
	switch s.Type {
	case metrics.Histogram:
		if h := s.Distribution(of.Now); h != nil {
			out <- histogram(s.desc, name, mode, h)
		}
	case metrics.StateSet:
		current, ok := s.Value(of).Word()
		if !ok {
			return
		}
		for _, state := range s.States {
			x := 0.0
			if state == current {
				x = 1
			}
			out <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, x, name, mode, state)
		}
	default:
		kind := prometheus.GaugeValue
		if s.Type == metrics.Counter {
			kind = prometheus.CounterValue
		}
		if x, ok := s.Value(of).Float(); ok {
			out <- prometheus.MustNewConstMetric(s.desc, kind, x, name, mode)
		}
	}
}
