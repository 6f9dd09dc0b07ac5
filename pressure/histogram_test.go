package pressure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/internal/endpoint"
	"sluice/layout"
)

// add adds a message that took d. Copies of h keep what they have.
func (h *Histogram) add(d time.Duration) {
	buckets := make([]uint64, layout.LatencyBuckets)
	copy(buckets, h.Buckets)
	buckets[layout.LatencyBucket(uint64(d))]++
	*h = Histogram{Count: h.Count + 1, Sum: h.Sum + uint64(d), Max: max(h.Max, d), Buckets: buckets}
}

// The buckets promise 1/32; hdrhistogram with three digits is the yardstick.
func TestQuantile_AgreesWithHdrHistogram(t *testing.T) {
	const promised = 1.0 / 32
	var random *rand.Rand
	for name, draw := range map[string]func() float64{
		"log-normal around 10 us": func() float64 { return 10_000 * math.Exp(random.NormFloat64()) },
		"two humps":               func() float64 { return 200 + 50*random.Float64() + 1e6*float64(random.IntN(2)) },
		"uniform to a second":     func() float64 { return 1e9 * random.Float64() },
		"a tail to an hour":       func() float64 { return 1000 / (random.Float64() + 1e-9) },
	} {
		random = rand.New(rand.NewPCG(1, 2))
		var h layout.Header
		want := hdrhistogram.New(1, layout.MaxLatency, 3)
		for range 200_000 {
			ns := uint64(min(draw(), layout.MaxLatency))
			endpoint.AddTimes(&h.Latency, endpoint.NoTime, ns, 1)
			if err := want.RecordValue(int64(ns)); err != nil {
				t.Fatal(err)
			}
		}
		got := readHistogram(&h.Latency)
		if got.Count != uint64(want.TotalCount()) {
			t.Errorf("%s: %d samples, want %d", name, got.Count, want.TotalCount())
		}
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 0.9999} {
			g, w := float64(got.Quantile(q)), float64(want.ValueAtQuantile(100*q))
			if off := math.Abs(g-w) / w; off > promised+0.001 {
				t.Errorf("%s: quantile %v is %v, want %v (%.1f %% off)", name, q, time.Duration(g), time.Duration(w), 100*off)
			}
		}
		if max, w := float64(got.Max), float64(want.Max()); math.Abs(max-w)/w > 0.001 {
			t.Errorf("%s: maximum %v, want %v", name, got.Max, time.Duration(w))
		}
	}
}

// The sum of two histograms has the messages of both, and changes neither.
func TestHistogram_Plus(t *testing.T) {
	of := func(bucket int, n uint64, each time.Duration) Histogram {
		h := Histogram{Count: n, Sum: n * uint64(each), Max: each, Buckets: make([]uint64, layout.LatencyBuckets)}
		h.Buckets[bucket] = n
		return h
	}
	a, b, none := of(100, 3, time.Microsecond), of(300, 1, time.Second), Histogram{}
	sum := a.Plus(&b)
	if sum.Count != 4 || sum.Max != time.Second || sum.Quantile(0.5) != a.Quantile(0.5) || sum.Quantile(1) != b.Quantile(1) {
		t.Errorf("sum of %d messages: median %v, max %v", sum.Count, sum.Quantile(0.5), sum.Max)
	}
	if a.Buckets[300] != 0 || b.Buckets[100] != 0 || a.Count != 3 {
		t.Error("a summand has changed")
	}
	if x, y := a.Plus(&none), none.Plus(&a); x.Count != 3 || y.Count != 3 || x.Max != a.Max || y.Sum != a.Sum {
		t.Error("a sum with nothing")
	}
}
