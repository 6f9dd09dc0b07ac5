// Package metrics gives the counters of every segment to Prometheus. It looks at
// /dev/shm when it is asked and keeps nothing in between: a segment that is gone is
// not in the next answer.
package metrics

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/monitor"
	"sluice/pressure"
	"sluice/shm"
)

// Collector is a prometheus.Collector of the segments there are. Any number of
// goroutines may use it. The zero value collects nothing: use New.
type Collector struct {
	list    func() (names []string, omitted int, err error)
	verdict func(name string) (pressure.Kind, bool)
}

// New returns a collector of everything in /dev/shm that is a segment, monitor.MaxSegments
// of them at most. verdict returns the verdict on a segment for whoever looks at it all
// the time, as the collector does not; nil for none.
func New(verdict func(name string) (pressure.Kind, bool)) *Collector {
	if verdict == nil {
		verdict = func(string) (pressure.Kind, bool) { return "", false }
	}
	return &Collector{monitor.Names, verdict}
}

// unreadable has no label: who may write to /dev/shm could make any number of
// series of it. gauge ls says which file it is and what is wrong.
var unreadable = prometheus.NewDesc("sluice_unreadable_segments",
	"Files named as segments that are none, are damaged or may not be read; gauge ls names them and says why.", nil, nil)

var omittedSegments = prometheus.NewDesc("sluice_omitted_segments",
	fmt.Sprintf("Segments beyond the %d that are looked at: those of the user that gauge runs as come first.", monitor.MaxSegments), nil, nil)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	out <- unreadable
	out <- omittedSegments
	out <- build
	out <- verdicts
	for _, f := range figures {
		out <- f.desc
	}
	out <- latency
}

// Collect implements prometheus.Collector. A segment that cannot be read is counted
// and left out; it does not spoil the others.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	names, omitted, err := c.list()
	if err != nil {
		out <- prometheus.NewInvalidMetric(unreadable, fmt.Errorf("list segments: %w", err))
		return
	}
	bad := 0
	for _, name := range names {
		s, err := observe(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed since it was listed
		case err != nil:
			bad++
		default:
			collect(out, name, &s)
			c.collectVerdict(out, name, s.Geometry.Mode.String())
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

// collect gives all there is of one segment. Its name has passed shm.CheckName, so it
// is valid as a label.
func collect(out chan<- prometheus.Metric, name string, s *pressure.Snapshot) {
	mode := s.Geometry.Mode
	for _, f := range figures {
		if f.mode == mode || f.mode == both {
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(s), name, mode.String())
		}
	}
	out <- histogram(name, mode.String(), &s.Latency)
}
