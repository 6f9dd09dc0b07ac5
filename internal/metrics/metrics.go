// Package metrics holds the table of everything that is measured of a segment: name, unit,
// meaning and value. It is the only source of the reports in JSON (producer, consumer, gauge
// stat --json, the live page), of the columns of gauge record, of the series of gauge serve,
// and of docs/metrics.md.
//
// Getters read a [Sample] and are pure: any number of goroutines may use them. None fails,
// whatever a corrupt segment holds. The package knows nothing of Prometheus but names and
// types, so that producer and consumer do not link its client.
package metrics

import (
	"strings"
	"time"

	"sluice/internal/flow"
	"sluice/layout"
	"sluice/pressure"
)

// Sample is what the metrics of a segment are read from: its counters at one time, and what
// has happened in the interval that ends there.
type Sample struct {
	Role    string // producer, consumer, observer
	Name    string // of the segment
	Mode    layout.Mode
	Elapsed time.Duration // since the side started; for an observer, since the segment was created
	Final   bool          // the sample is of the whole run

	Now      *pressure.Snapshot // nil while there is no segment, or none that can be read
	Interval pressure.Interval  // before Now; of no length where only Now is known
	Run      *pressure.Interval // since the side started; for an observer, since the segment was created; nil in gauge record and for Prometheus
	Own      *OwnCount          // in place of Now in the last report on a segment that cannot be read any more

	Place *flow.Place // of the segment among others; nil when it is not known, as by its own sides

	Verdict        pressure.Verdict // of no kind when it cannot be known
	Reason, Advice string           // the verdict in words

	End       string // how the stream has ended: complete, stopped, failed, incomplete; "" = not, or not known
	Discarded *int64 // bytes read from the input and not sent; nil when there is no input, or it goes on
}

// OwnCount is how many messages a side has produced or consumed, as it counts them itself.
type OwnCount struct {
	Run   uint64 // in this run
	Total uint64 // since the segment was created
}

// Metric is a row of the table.
type Metric struct {
	// Key is the key in JSON; a dot stands before a key of an object within another.
	// It is "" for what only Prometheus has.
	Key string
	// CSV: gauge record has a column of it, which is called [Metric.Column].
	CSV bool
	// Series is the name in Prometheus, "" for what it has no series of.
	Series string
	// Type is the type of the series.
	Type Type
	// States are the words that the value may be, if Type is StateSet.
	States []string
	Unit   Unit
	// Mode is the only mode that has the metric, 0 for both.
	Mode layout.Mode
	// Help says in one sentence what the value means.
	Help string

	get       func(s *Sample) Value
	histogram func(s *pressure.Snapshot) *pressure.Histogram // if Type is Histogram
}

// Type is the type of a series in Prometheus.
type Type int

// The types.
const (
	Gauge     Type = iota // goes up and down
	Counter               // never falls while a segment is the same one
	Histogram             // of all that the segment has counted; has no value of its own here
	StateSet              // a gauge for each of Metric.States: 1 for the one that the value is, 0 for the others
)

// Unit is what a metric counts or is measured in; "" for words and for yes or no.
type Unit string

// The units.
const (
	Messages    Unit = "messages"
	Bytes       Unit = "bytes"
	Seconds     Unit = "seconds"
	Nanoseconds Unit = "nanoseconds"
	Times       Unit = "times"
	Sends       Unit = "sends"
	Descriptors Unit = "descriptors"
	Streams     Unit = "streams"
	Ratio       Unit = "0 to 1"
	PerSecond   Unit = "messages/s"
)

// Value returns the metric's value in a sample. It is unknown where there is no segment, where
// the segment's mode does not have it, and where nothing tells it.
func (m *Metric) Value(s *Sample) Value {
	if m.get == nil || m.Mode != 0 && s.Mode != m.Mode {
		return Value{}
	}
	return m.get(s)
}

// Distribution returns the histogram of a metric of that type, nil where it is unknown.
func (m *Metric) Distribution(s *pressure.Snapshot) *pressure.Histogram { return m.histogram(s) }

// Label is the label that the states of a StateSet have in Prometheus: the last part of the key.
func (m *Metric) Label() string { return m.Key[strings.LastIndex(m.Key, ".")+1:] }

// Column is the name of the metric's column in CSV: its key in camel case, without dots.
func (m *Metric) Column() string {
	name := ""
	for i, part := range strings.Split(m.Key, ".") {
		if i > 0 {
			part = strings.ToUpper(part[:1]) + part[1:]
		}
		name += part
	}
	return name
}
