package layout

import "math/bits"

// The latency histogram is log-linear: every power of two is cut into 16 equal
// buckets, so a value taken as the middle of its bucket is off by at most
// 1/32 = 3.1 %. The idea is HdrHistogram's (Gil Tene, hdrhistogram.org); the
// plain array of counters is what lets one process write and others read.
const (
	latencySub = 16

	// LatencyBuckets is the number of buckets. The last one also takes what
	// is longer than MaxLatency.
	LatencyBuckets = 41 * latencySub

	// MaxLatency is the longest time that has a bucket of its own, in
	// nanoseconds: 2^44, about 4.9 hours.
	MaxLatency = 1<<44 - 1
)

// LatencyBucket returns the bucket that ns belongs to.
func LatencyBucket(ns uint64) int {
	if ns < latencySub {
		return int(ns)
	}
	ns = min(ns, MaxLatency)
	e := bits.Len64(ns) - 1 // ns is in [2^e, 2^(e+1)), e >= 4
	return (e-3)*latencySub + int(ns>>(e-4))&(latencySub-1)
}

// LatencyBounds returns the lowest and the highest value of bucket i, in
// nanoseconds, both inclusive.
//
// Preconditions: i is from 0 to LatencyBuckets-1.
func LatencyBounds(i int) (low, high uint64) {
	if i < latencySub {
		return uint64(i), uint64(i)
	}
	e := i/latencySub + 3
	width := uint64(1) << (e - 4)
	low = 1<<e + uint64(i%latencySub)*width
	return low, low + width - 1
}
