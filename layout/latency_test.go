package layout

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestBuckets_NoGaps(t *testing.T) {
	next := uint64(0)
	for i := range LatencyBuckets {
		low, high := LatencyBounds(i)
		if low != next || high < low {
			t.Fatalf("bucket %d is %d to %d, want it to begin at %d", i, low, high, next)
		}
		if LatencyBucket(low) != i || LatencyBucket(high) != i {
			t.Errorf("the bounds %d and %d of bucket %d belong to %d and %d", low, high, i, LatencyBucket(low), LatencyBucket(high))
		}
		next = high + 1
	}
	if next != MaxLatency+1 {
		t.Errorf("the last bucket ends at %d, not at %d", next-1, MaxLatency)
	}
}

func TestBuckets_ValueInItsBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Uint64Range(0, MaxLatency).Draw(t, "ns")
		low, high := LatencyBounds(LatencyBucket(ns))
		if ns < low || ns > high {
			t.Fatalf("%d is not in %d to %d", ns, low, high)
		}
	})
}

func TestBuckets_MiddleWithinOneThirtySecond(t *testing.T) {
	for i := range LatencyBuckets {
		low, high := LatencyBounds(i)
		middle := (low + high) / 2
		if 32*(middle-low) > low || 32*(high-middle) > high {
			t.Errorf("bucket %d: %d stands for %d to %d", i, middle, low, high)
		}
	}
}

func TestBuckets_LongTimes_LastBucket(t *testing.T) {
	for _, ns := range []uint64{MaxLatency, MaxLatency + 1, 1 << 50, math.MaxUint64} {
		if got := LatencyBucket(ns); got != LatencyBuckets-1 {
			t.Errorf("%d ns are in bucket %d", ns, got)
		}
	}
}
