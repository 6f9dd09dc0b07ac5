package schedule

import (
	"math"
	"slices"
	"testing"
	"time"
)

// first returns the first n due times.
func first(n int, s Spec) (due []time.Duration) {
	for times := s.Times(); len(due) < n; {
		due = append(due, times.Next())
	}
	return due
}

func TestTimes_Spaced(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		spec Spec
		want []time.Duration
	}{
		{Spec{Rate: 1000}, []time.Duration{0, ms, 2 * ms, 3 * ms, 4 * ms}},
		{Spec{Rate: 3}, []time.Duration{0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333}},
		{Spec{Rate: 0.5}, []time.Duration{0, 2 * time.Second, 4 * time.Second}},
		{Spec{Rate: 1000, Burst: 2}, []time.Duration{0, 0, 2 * ms, 2 * ms, 4 * ms, 4 * ms}},
		{Spec{Rate: 1e-300}, []time.Duration{0, Never, Never}},
	} {
		if got := first(len(c.want), c.spec); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.spec, got, c.want)
		}
	}
}

// After a day at a rate that is no whole number of nanoseconds apart, a message is still due at
// its number divided by the rate.
func TestTimes_Spaced_NoDrift(t *testing.T) {
	const rate, day = 7e6, 24 * 3600
	s := Spec{Rate: rate}
	counter := s.Times()
	if n := counter.CountBy(day * time.Second); n != day*rate+1 {
		t.Errorf("%d messages are due in a day, want %d", n, uint64(day*rate)+1)
	}
	for k := range uint64(10) {
		due, want := counter.Next(), math.Floor(float64(day*rate+1+k)/rate*1e9)
		if math.Abs(float64(due)-want) > 1 {
			t.Errorf("message %d of the next day is due at %d ns, want %.0f", k, due, want)
		}
	}
}

func TestTimes_SameSeed_SameTimes(t *testing.T) {
	s := Spec{Rate: 1000, Burst: 3, Arrivals: Poisson, Seed: 7}
	one := first(3000, s)
	if !slices.Equal(one, first(3000, s)) {
		t.Error("the same Spec has two schedules")
	}
	s.Seed++
	if slices.Equal(one, first(3000, s)) {
		t.Error("another seed has the same schedule")
	}
}

// CountBy is right between any two due times, and at them, whatever the steps are in which it is
// called.
func TestTimes_CountBy_AgreesWithNext(t *testing.T) {
	for _, s := range []Spec{
		{Rate: 1000}, {Rate: 3}, {Rate: 0.7}, {Rate: 3e8}, {Rate: 1.7e9}, {Rate: 1000, Burst: 7}, {Rate: 1e7, Burst: 1000},
		{Rate: 1000, Arrivals: Poisson, Seed: 1}, {Rate: 2e8, Arrivals: Poisson, Seed: 2}, {Rate: 1000, Burst: 5, Arrivals: Poisson, Seed: 3},
	} {
		due := first(4000, s)
		for _, step := range []int{1, 7, 900} {
			counter := s.Times()
			for k := 0; k < len(due)-1000; k += step {
				for _, at := range []time.Duration{due[k] - 1, due[k], due[k] + 1} {
					if at < 0 || k > 0 && at < due[k-1] {
						continue
					}
					want := uint64(0)
					for want = uint64(k); want > 0 && due[want-1] > at; want-- {
					}
					for ; due[want] <= at; want++ {
					}
					if got := s.Times().CountBy(at); got != want {
						t.Fatalf("%+v: %d messages are due by %d ns, want %d", s, got, at, want)
					}
					if at == due[k] {
						if got := counter.CountBy(at); got != want {
							t.Fatalf("%+v, in steps of %d: %d messages are due by %d ns, want %d", s, step, got, at, want)
						}
					}
				}
				if s.Arrivals == Poisson && k > 300 && step == 1 {
					break // it counts from the start each time
				}
			}
		}
	}
}

func TestTimes_CountBy_Extremes(t *testing.T) {
	for _, c := range []struct {
		rate float64
		at   time.Duration
		want uint64
	}{
		{1000, -1, 0}, {1000, 0, 1}, {1e-300, math.MaxInt64, 1}, {1e-9, math.MaxInt64, 3},
	} {
		if got := (Spec{Rate: c.rate}).Times().CountBy(c.at); got != c.want {
			t.Errorf("rate %g: %d messages are due by %v, want %d", c.rate, got, c.at, c.want)
		}
	}
}

// Of 100,000 gaps the mean is within 2 % (6 standard errors), the standard deviation equals the
// mean within 3 %, and the share of gaps longer than x means is e^-x: the three of an exponential
// distribution. A gap tells nothing about the next one.
func TestTimes_Poisson_ExponentialGaps(t *testing.T) {
	for _, burst := range []int{1, 4} {
		const n = 100_000
		due := first(n*burst, Spec{Rate: 1000, Burst: burst, Arrivals: Poisson, Seed: 42})
		var gaps []float64
		for k := burst; k < len(due); k += burst {
			if due[k] != due[k+burst-1] {
				t.Fatalf("burst %d: its messages are due at %v and %v", k/burst, due[k], due[k+burst-1])
			}
			gaps = append(gaps, float64(due[k]-due[k-burst]))
		}
		var sum, squares, product float64
		for i, gap := range gaps {
			sum, squares = sum+gap, squares+gap*gap
			if i > 0 {
				product += gap * gaps[i-1]
			}
		}
		count := float64(len(gaps))
		mean, want := sum/count, float64(burst)*1e6
		if math.Abs(mean/want-1) > 0.02 {
			t.Errorf("burst %d: mean gap %.0f ns, want %.0f", burst, mean, want)
		}
		if deviation := math.Sqrt(squares/count - mean*mean); math.Abs(deviation/mean-1) > 0.03 {
			t.Errorf("burst %d: standard deviation %.0f ns, mean %.0f", burst, deviation, mean)
		}
		for _, x := range []float64{0.1, 0.5, 1, 2, 4} {
			longer := 0.0
			for _, gap := range gaps {
				if gap > x*mean {
					longer++
				}
			}
			if share := longer / count; math.Abs(share-math.Exp(-x)) > 0.01 {
				t.Errorf("burst %d: a share of %.3f is longer than %g means, want %.3f", burst, share, x, math.Exp(-x))
			}
		}
		if correlation := (product/count - mean*mean) / (mean * mean); math.Abs(correlation) > 0.02 {
			t.Errorf("burst %d: neighbouring gaps have a correlation of %.3f", burst, correlation)
		}
	}
}

var sink time.Duration

func BenchmarkNext(b *testing.B) {
	for name, s := range map[string]Spec{
		"spaced": {Rate: 1000}, "bursts of 100": {Rate: 1000, Burst: 100}, "poisson": {Rate: 1000, Arrivals: Poisson},
	} {
		b.Run(name, func(b *testing.B) {
			times := s.Times()
			for b.Loop() {
				sink = times.Next()
			}
		})
	}
}
