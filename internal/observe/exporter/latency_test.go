package exporter

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/pressure"
)

// bounds are those that the metric has, as Prometheus prints them.
var bounds = []string{
	"1.27e-07", "2.55e-07", "5.11e-07", "1.023e-06", "2.047e-06", "4.095e-06", "8.191e-06", "1.6383e-05", "3.2767e-05", "6.5535e-05",
	"0.000131071", "0.000262143", "0.000524287", "0.001048575", "0.002097151", "0.004194303", "0.008388607", "0.016777215", "0.033554431",
	"0.067108863", "0.134217727", "0.268435455", "0.536870911", "1.073741823", "2.147483647", "4.294967295", "8.589934591", "17.179869183",
	"34.359738367", "68.719476735",
}

// took counts n messages whose latency was ns.
func took(h *layout.Header, ns, n uint64) { endpoint.AddTimes(&h.Latency, endpoint.NoTime, ns, n) }

func TestLatency_ExactAtEveryBound(t *testing.T) {
	name, h := segment(t, ring(t))
	var cumulative []uint64
	total, sum := uint64(0), uint64(0)
	for i := range bounds {
		edge := uint64(1) << (7 + i)
		took(h, edge-1, 3) // the longest within this bound
		took(h, edge, 5)   // the shortest beyond it
		cumulative = append(cumulative, total+3)
		total, sum = total+8, sum+8*edge-3
	}
	took(h, 0, 1)
	took(h, layout.MaxLatency*2, 1) // counts as the longest there is
	total, sum = total+2, sum+layout.MaxLatency

	var want strings.Builder
	fmt.Fprintf(&want, `
# HELP sluice_latency_seconds HELP
# TYPE sluice_latency_seconds histogram
`)
	for i, b := range bounds {
		fmt.Fprintf(&want, "sluice_latency_seconds_bucket{mode=\"ring\",name=\"NAME\",le=%q} %d\n", b, cumulative[i]+1)
	}
	fmt.Fprintf(&want, `sluice_latency_seconds_bucket{mode="ring",name="NAME",le="+Inf"} %d
sluice_latency_seconds_sum{mode="ring",name="NAME"} %v
sluice_latency_seconds_count{mode="ring",name="NAME"} %[1]d
`, total, float64(sum)/1e9)
	answers(t, of(name), name, want.String(), "sluice_latency_seconds")
}

// A segment that never had a schedule has no response, and no series that says 0. With one there
// are series from its beginning, so that rates can be computed.
func TestResponse_OnlyWithSchedule(t *testing.T) {
	name, h := segment(t, ring(t))
	count := func() (series map[string]uint64) {
		series = map[string]uint64{}
		families, err := registry(t, of(name)).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if of := f.Metric[0].GetHistogram(); of != nil {
				series[f.GetName()] = of.GetSampleCount()
			}
		}
		return series
	}
	want := func(what string, want map[string]uint64) {
		t.Helper()
		if got := count(); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	took(h, 1000, 2)
	want("no schedule", map[string]uint64{"sluice_latency_seconds": 2})
	endpoint.BeginSchedule(h, 1, 1000)
	want("a schedule", map[string]uint64{"sluice_latency_seconds": 2, "sluice_response_seconds": 0, "sluice_lateness_seconds": 0})
	endpoint.AddTimes(&h.Response, endpoint.NoTime, 1000, 3)
	endpoint.AddTimes(&h.Lateness, endpoint.NoTime, 1000, 4)
	endpoint.EndSchedule(h)
	want("after it", map[string]uint64{"sluice_latency_seconds": 2, "sluice_response_seconds": 3, "sluice_lateness_seconds": 4})
}

func TestLatency_CountsSaturate(t *testing.T) {
	for _, c := range []struct{ a, b, want uint64 }{
		{0, 0, 0}, {1, 2, 3}, {math.MaxUint64, 0, math.MaxUint64}, {math.MaxUint64, 1, math.MaxUint64}, {1 << 63, 1 << 63, math.MaxUint64},
		{math.MaxUint64 - 1, 1, math.MaxUint64},
	} {
		if got := saturatingAdd(c.a, c.b); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// The sum in the header wraps around, after days of a fast and deep queue.
func TestLatency_IntervalSum_Wrap(t *testing.T) {
	var h layout.Header
	h.Latency.Count.Store(1)
	h.Latency.Sum.Store(math.MaxUint64 - 99)
	before := pressure.Read(&h, transfer, pressure.LiveRoles{}, 0)
	took(&h, 1000, 2)
	after := pressure.Read(&h, transfer, pressure.LiveRoles{}, 0)
	if got := after.Latency.Since(&before.Latency).Sum; got != 2000 {
		t.Errorf("%d ns, want 2000", got)
	}
}
