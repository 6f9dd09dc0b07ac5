// Package exporter gives the metrics of every segment to Prometheus. It reads /dev/shm when it
// is asked and keeps nothing in between: a segment that is gone is not in the next answer.
// What there is, what it is called and what it means stands in package metrics.
package exporter

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/flow"
	"sluice/internal/metrics"
	"sluice/internal/segments"
	"sluice/pressure"
	"sluice/shm"
)

// collector is a prometheus.Collector of the segments there are. Any number of
// goroutines may use it.
type collector struct {
	list     func() (names []string, omitted int, err error)
	observed func(name string) (Observed, bool)
}

// Observed is what of a segment only an observer knows that reads all segments all the time.
type Observed struct {
	Verdict pressure.Verdict
	Place   *flow.Place
}

// newCollector returns a collector of segments in /dev/shm, segments.Max of them at most. The
// arguments are as in Handler.
func newCollector(names []string, observed func(name string) (Observed, bool)) *collector {
	if observed == nil {
		observed = func(string) (Observed, bool) { return Observed{}, false }
	}
	list := func() ([]string, int, error) { return segments.Names(names...) }
	return &collector{list, observed}
}

// unreadable has no label: who may write to /dev/shm could make any number of
// series of it. gauge ls says which file it is and what is wrong.
var unreadable = prometheus.NewDesc("sluice_unreadable_segments",
	"Files with the name of a segment that are none, are damaged, or may not be read; gauge ls names them and says why.", nil, nil)

var omittedSegments = prometheus.NewDesc("sluice_omitted_segments",
	fmt.Sprintf("Segments that are not read because there are more than %d; those of the user that gauge runs as come first.", segments.Max), nil, nil)

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	out <- unreadable
	out <- omittedSegments
	out <- build
	for _, s := range allSeries {
		out <- s.desc
	}
}

// Collect implements prometheus.Collector. A segment that cannot be read is counted
// and left out; the others are collected.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	names, omitted, err := c.list()
	if err != nil {
		out <- prometheus.NewInvalidMetric(unreadable, fmt.Errorf("list segments: %w", err))
		return
	}
	bad := 0
	for _, name := range names {
		now, err := observe(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed since it was listed
		case err != nil:
			bad++
		default:
			s := metrics.Sample{Name: name, Mode: now.Geometry.Mode, Now: &now}
			if o, ok := c.observed(name); ok {
				s.Verdict, s.Place = o.Verdict, o.Place
			}
			for _, series := range allSeries {
				series.collect(out, &s)
			}
		}
	}
	out <- prometheus.MustNewConstMetric(unreadable, prometheus.GaugeValue, float64(bad))
	out <- prometheus.MustNewConstMetric(omittedSegments, prometheus.GaugeValue, float64(omitted))
	out <- thisBuild()
}

func observe(name string) (pressure.Snapshot, error) {
	v, err := shm.OpenView(name)
	if err != nil {
		return pressure.Snapshot{}, err
	}
	defer v.Close()
	return pressure.Observe(v)
}
