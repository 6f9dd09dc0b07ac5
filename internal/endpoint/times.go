package endpoint

import (
	"math"
	"math/bits"
	"time"

	"sluice/internal/monotonic"
	"sluice/layout"
)

// NoTime stands for a time that is not known: of a message that was due at no time, or of a
// sample that has none before it.
const NoTime = ^uint64(0)

// DueAt returns a due time as segments and packets have it: ns of the monotonic clock, from 1 to
// the longest time.Duration, or 0 for the zero Time, that of a message that is due at no time.
func DueAt(at time.Time) uint64 {
	if at.IsZero() {
		return 0
	}
	return min(max(1, monotonic.At(at)), math.MaxInt64)
}

// AddTimes counts a sample whose time is ns and that stands for n messages: itself, and those since
// the sample before it, whose time was before, NoTime if there is none. Their times are taken to
// lie evenly between the two, so that a backlog that was sampled a few times counts as what it was.
// A histogram has one writer.
func AddTimes(h *layout.Histogram, before, ns, n uint64) {
	ns = min(ns, layout.MaxLatency)
	if before == NoTime || n == 1 {
		before = ns
	}
	before = min(before, layout.MaxLatency)
	low, high := min(before, ns), max(before, ns)
	var counted uint64
	for i := layout.LatencyBucket(low); counted < n; i++ {
		upTo := n
		if _, end := layout.LatencyBounds(i); end < high {
			// Step j of n lies below end+1 if j*(high-low) < n*(end+1-low). Upwards j is from
			// 1 to n, downwards from 0 to n-1.
			upTo = quotient(n, end+1-low, 1, high-low)
			if before == high {
				upTo = min(upTo+1, n)
			}
		}
		if upTo > counted {
			h.Buckets[i].AddRelaxed(upTo - counted)
			counted = upTo
		}
	}
	h.Count.AddRelaxed(n)
	// n steps of the same width from before to ns, of which the last one is ns.
	if ns >= before {
		h.Sum.AddRelaxed(n*before + quotient(n+1, ns-before, 0, 2))
	} else {
		h.Sum.AddRelaxed(n*before - quotient(n+1, before-ns, 0, 2))
	}
	if ns > h.Max.LoadRelaxed() {
		h.Max.StoreRelaxed(ns)
	}
}

// quotient returns (a*b - less) / by, or NoTime if that does not fit into 64 bits; by is not 0, and
// a*b at least less.
func quotient(a, b, less, by uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	lo, borrow := bits.Sub64(lo, less, 0)
	if hi -= borrow; hi >= by {
		return NoTime
	}
	q, _ := bits.Div64(hi, lo, by)
	return q
}
