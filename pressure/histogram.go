package pressure

import (
	"math"
	"slices"
	"time"

	"sluice/layout"
)

// Histogram is the distribution of a time of messages. Counts are messages: each sample stands for
// those since the one before it.
type Histogram struct {
	Count   uint64
	Sum     uint64 // ns, weighted like Count; it wraps around as the header's does
	Max     time.Duration
	Buckets []uint64 // layout.LatencyBuckets of them; none without a message. Copies share them
}

func readHistogram(h *layout.Histogram) Histogram {
	if h.Count.Load() == 0 { // as without a schedule: there are 656 buckets
		return Histogram{}
	}
	out := Histogram{Sum: h.Sum.Load(), Max: time.Duration(h.Max.Load()), Buckets: make([]uint64, layout.LatencyBuckets)}
	for i := range out.Buckets {
		out.Buckets[i] = h.Buckets[i].Load()
		out.Count += out.Buckets[i]
	}
	return out
}

// Since returns what was added to h since before. Its maximum is exact when it is
// the segment's, else the upper end of its bucket (6.7 % too high at most).
func (h *Histogram) Since(before *Histogram) Histogram {
	if h.Count == before.Count {
		return Histogram{}
	}
	out := Histogram{Sum: h.Sum - before.Sum, Buckets: make([]uint64, len(h.Buckets))} // the sum is right across a wrap, too
	for i, n := range h.Buckets {
		d := n
		if len(before.Buckets) > 0 {
			d -= min(before.Buckets[i], n)
		}
		out.Buckets[i] = d
		out.Count += d
		if d > 0 {
			low, high := layout.LatencyBounds(i)
			out.Max = time.Duration(high)
			if m := uint64(h.Max); low <= m && (m <= high || i == len(h.Buckets)-1) {
				out.Max = h.Max
			}
		}
	}
	return out
}

// Plus returns the distribution of the messages of both.
func (h *Histogram) Plus(other *Histogram) Histogram {
	switch {
	case other.Count == 0:
		return *h
	case h.Count == 0:
		return *other
	}
	out := Histogram{Count: h.Count + other.Count, Sum: h.Sum + other.Sum, Max: max(h.Max, other.Max), Buckets: slices.Clone(h.Buckets)}
	for i, n := range other.Buckets {
		out.Buckets[i] += n
	}
	return out
}

// Mean returns the mean time, which is exact as far as the samples are. It is 0 for an empty
// histogram.
func (h *Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return min(time.Duration(min(h.Sum/h.Count, math.MaxInt64)), h.Max)
}

// Quantile returns the time that the share q of the messages did not exceed, to about 3 %: 0.5 is
// the median. It is 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(1, uint64(math.Ceil(q*float64(h.Count))))
	var seen uint64
	for i, n := range h.Buckets {
		seen += n
		if n > 0 && (seen >= rank || seen == h.Count) {
			low, high := layout.LatencyBounds(i)
			return min(time.Duration((low+high)/2), h.Max)
		}
	}
	return 0
}
