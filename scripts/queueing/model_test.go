package main

import (
	"math"
	"slices"
	"testing"

	"sluice/internal/schedule"
)

// simulate returns the trace of a queue with those due times and a constant service, ns.
func simulate(times *schedule.Times, n int, service float64) *trace {
	t := &trace{}
	free := 0.0
	for range n {
		due := float64(times.Next())
		taken := max(due, free)
		free = taken + service
		t.due, t.began, t.taken, t.done = append(t.due, due), append(t.began, taken), append(t.taken, taken), append(t.done, free)
	}
	return t
}

func TestLindley_WaitsOfASmallQueue(t *testing.T) {
	run := &trace{
		due:   []float64{0, 10, 12, 100, 101},
		began: []float64{0, 30, 60, 100, 105},
		taken: []float64{0, 30, 60, 100, 105},
		done:  []float64{30, 60, 70, 105, 106},
	}
	if got, want := lindley(run), []float64{0, 20, 48, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// In a queue that nothing else holds back, what was measured is what the recursion gives.
func TestLindley_AgreesWithSimulation(t *testing.T) {
	for _, arrivals := range []schedule.Arrivals{schedule.Spaced, schedule.Poisson} {
		run := simulate(schedule.Spec{Rate: 1000, Burst: 2, Arrivals: arrivals, Seed: 1}.Times(), 10_000, 0.7e6)
		for k, wait := range lindley(run) {
			if got := run.taken[k] - run.due[k]; math.Abs(got-wait) > 1 {
				t.Fatalf("message %d waits %.0f ns, want %.0f", k, got, wait)
			}
		}
	}
}

// At load 0.8 with constant services the mean wait is two services. Of 20 runs about one is further
// off than the 95 % that the means of batches say.
func TestQueue_PoissonArrivals_MeanWait(t *testing.T) {
	q := queue{rate: 1000 / 1e9, service: 0.8e6, serviceSquare: 0.64e12}
	if got := q.wait(); math.Abs(got-1.6e6) > 1 {
		t.Errorf("the formula gives %.0f ns, want 1,600,000", got)
	}
	outside := 0
	for seed := range uint64(20) {
		run := simulate(schedule.Spec{Rate: 1000, Arrivals: schedule.Poisson, Seed: seed}.Times(), 120_000, 0.8e6)
		waits, q := lindley(run), run.queue()
		got, uncertain := mean(waits), t95*meanError(waits)
		if math.Abs(got-q.wait()) > uncertain {
			outside++
		}
		if uncertain > 0.15*got || math.Abs(got/q.wait()-1) > 0.15 {
			t.Errorf("seed %d: %.0f ns, the formula gives %.0f +- %.0f", seed, got, q.wait(), uncertain)
		}
	}
	if outside > 4 {
		t.Errorf("%d of 20 runs were outside the uncertainty", outside)
	}
}

func TestQueue_Overload_Infinite(t *testing.T) {
	if got := (queue{rate: 1e-6, service: 1e6, serviceSquare: 1e12}).wait(); !math.IsInf(got, 1) {
		t.Errorf("%v", got)
	}
}
