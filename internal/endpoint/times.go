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

// maxMessages is how many messages a sample can stand for; more is nonsense of a hostile peer.
const maxMessages = 1 << 53

// AddTimes counts a sample whose time is ns and that stands for n messages: itself, and those since
// the sample before it, whose time was before, NoTime if there is none. Their times are taken to
// lie evenly between the two, so that a backlog that was sampled a few times counts as what it was.
// A histogram has one writer.
func AddTimes(h *layout.Histogram, before, ns, n uint64) {
	n, ns = min(n, maxMessages), min(ns, layout.MaxLatency)
	if before == NoTime || n == 1 {
		before = ns
	}
	before = min(before, layout.MaxLatency)
	spread(h, before, ns, n)
	h.Count.AddRelaxed(n)
	// n steps of the same width from before to ns, of which the last one is ns.
	if ns >= before {
		h.Sum.AddRelaxed(n*before + half(n+1, ns-before))
	} else {
		h.Sum.AddRelaxed(n*before - half(n+1, before-ns))
	}
	if ns > h.Max.LoadRelaxed() {
		h.Max.StoreRelaxed(ns)
	}
}

// spread adds n messages to the buckets from one time to another. That can be hundreds of buckets
// for each sample, so a step has no division.
func spread(h *layout.Histogram, from, to, n uint64) {
	low, high := min(from, to), max(from, to)
	first, last := layout.LatencyBucket(low), layout.LatencyBucket(high)
	if n == 0 || first == last {
		h.Buckets[last].AddRelaxed(n)
		return
	}
	perNs := float64(n) / float64(high-low)
	counted := uint64(0)
	for i := first; i < last; i++ {
		_, end := layout.LatencyBounds(i)
		// The n times are (high-low)/n apart. That many of them lie up to end, and low itself if
		// the last one is there.
		upTo := uint64(int64(float64(int64(end+1-low)) * perNs))
		if from == high {
			upTo++
		}
		if upTo = min(upTo, n); upTo > counted {
			h.Buckets[i].AddRelaxed(upTo - counted)
			counted = upTo
		}
	}
	h.Buckets[last].AddRelaxed(n - counted)
}

// half returns a*b / 2, less than 2^64 if that does not fit.
func half(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<63 | lo>>1
}

// Since returns the time from then to now, both ns of the monotonic clock. A time from the future
// (of another time namespace, or of a hostile peer) is no time ago.
func Since(then, now uint64) uint64 { return uint64(max(0, int64(now-then))) }
