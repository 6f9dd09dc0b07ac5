package endpoint

import (
	"math"
	"testing"
	"time"

	"sluice/internal/monotonic"
	"sluice/layout"
)

// Every step of the way counts once, in the bucket that it lies in.
func TestAddTimes_SpreadEvenly(t *testing.T) {
	for _, c := range []struct{ before, ns, n uint64 }{
		{NoTime, 100, 1}, {NoTime, 0, 7}, {NoTime, layout.MaxLatency + 5, 3},
		{5, 100, 1}, {100, 5, 1}, {0, 999, 2}, {999, 0, 2}, {0, 1000, 1000}, {1000, 0, 1000}, {50, 50, 9},
		{1_000_000_000, 1_000_000, 999}, {1_000, 1_000_000_000, 12_345}, {3, 90, 4000}, {90, 3, 4000},
		{layout.MaxLatency, 0, 1 << 20},
	} {
		var h, want layout.Histogram
		AddTimes(&h, c.before, c.ns, c.n)
		before, ns := c.before, min(c.ns, layout.MaxLatency)
		if before == NoTime {
			before = ns
		}
		var sum float64
		for j := uint64(1); j <= c.n; j++ {
			v := float64(before) + (float64(ns)-float64(before))*float64(j)/float64(c.n)
			sum += v
			want.Buckets[layout.LatencyBucket(uint64(v))].AddRelaxed(1)
		}
		var total uint64
		for i := range h.Buckets {
			got, want := h.Buckets[i].Load(), want.Buckets[i].Load()
			total += got
			if max(got, want)-min(got, want) > min(1, c.n/3) { // a step of many may lie at the edge of its bucket
				t.Errorf("%+v: bucket %d has %d, want %d", c, i, got, want)
			}
		}
		if total != c.n || h.Count.Load() != c.n || h.Max.Load() != ns {
			t.Errorf("%+v: %d in buckets, %d counted, longest %d", c, total, h.Count.Load(), h.Max.Load())
		}
		if got := float64(h.Sum.Load()); got < sum*0.999999-float64(c.n) || got > sum*1.000001+float64(c.n) {
			t.Errorf("%+v: sum %v, want %v", c, got, sum)
		}
	}
}

// A peer can make a sample stand for any number of messages: that ends, and soon.
func TestAddTimes_Hostile(t *testing.T) {
	var h layout.Histogram
	AddTimes(&h, 0, layout.MaxLatency, NoTime)
	AddTimes(&h, layout.MaxLatency, 0, NoTime)
	AddTimes(&h, 7, 7, 0)
}

// Whatever time a program gives, it is told from none.
func TestDueAt(t *testing.T) {
	now := time.Now()
	clock := monotonic.Now()
	for _, c := range []struct {
		name      string
		at        time.Time
		low, high uint64
	}{
		{"the zero Time", time.Time{}, 0, 0},
		{"now", now, clock - uint64(time.Second), clock},
		{"now, of the wall clock", now.Round(0), clock - uint64(time.Minute), clock + uint64(time.Minute)},
		{"an hour ahead", now.Add(time.Hour), clock + uint64(59*time.Minute), clock + uint64(time.Hour)},
		{"1970", time.Unix(0, 0), 1, 1},
		{"the year 1", time.Time{}.Add(1), 1, 1},
		{"the year 9999", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), clock, math.MaxUint64},
	} {
		if got := DueAt(c.at); got < c.low || got > c.high {
			t.Errorf("%s: %d, want %d to %d", c.name, got, c.low, c.high)
		}
	}
}
