package exporter

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/layout"
	"sluice/pressure"
)

// The bounds of sluice_latency_seconds are the powers of two from 128 ns to 69 s,
// each less the nanosecond with which the header's next bucket begins: so the counts
// are exact.
const firstBound, lastBound = 7, 36

// histogram merges the header's 656 buckets into 30.
func histogram(desc *prometheus.Desc, name, mode string, h *pressure.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, lastBound-firstBound+1)
	var total uint64
	bound := firstBound
	for i := range layout.LatencyBuckets {
		if low, _ := layout.LatencyBounds(i); low == 1<<bound && bound <= lastBound {
			buckets[seconds(low-1)] = total
			bound++
		}
		if i < len(h.Buckets) { // there are none without a message
			total = saturatingAdd(total, h.Buckets[i])
		}
	}
	return prometheus.MustNewConstHistogram(desc, total, seconds(h.Sum), buckets, name, mode)
}

func seconds(ns uint64) float64 { return float64(ns) / 1e9 }

// saturatingAdd is a + b or the largest count, so that buckets are cumulative whatever the header
// holds.
func saturatingAdd(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
