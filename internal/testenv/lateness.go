package testenv

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// Lateness waits until each of many deadlines, all at once but for a millisecond between two
// beginnings, and returns by how much each was missed, the least first. A deadline is
// counted from the beginning of its wait; wait is given its number and a context with it.
func Lateness(deadlines []time.Duration, wait func(i int, ctx context.Context)) []time.Duration {
	return lateEach(deadlines, func(i int, at time.Time) time.Duration {
		ctx, cancel := context.WithDeadline(context.Background(), at)
		defer cancel()
		wait(i, ctx)
		return time.Since(at)
	})
}

// CancelLateness is [Lateness] for contexts that are canceled at the deadlines. A wait is late
// by the time since its context was, which may itself have been late.
func CancelLateness(deadlines []time.Duration, wait func(i int, ctx context.Context)) []time.Duration {
	return lateEach(deadlines, func(i int, at time.Time) time.Duration {
		ctx, cancel := context.WithCancel(context.Background())
		canceled := make(chan time.Time, 1)
		time.AfterFunc(time.Until(at), func() {
			canceled <- time.Now()
			cancel()
		})
		wait(i, ctx)
		now := time.Now()
		return now.Sub(<-canceled)
	})
}

func lateEach(deadlines []time.Duration, wait func(i int, at time.Time) time.Duration) []time.Duration {
	late := make([]time.Duration, len(deadlines))
	var all sync.WaitGroup
	for i, d := range deadlines {
		all.Go(func() { late[i] = wait(i, time.Now().Add(d)) })
		time.Sleep(time.Millisecond) // a hundred that begin together keep each other from a processor
	}
	all.Wait()
	slices.Sort(late)
	return late
}

// LatenessWaits is how many waits [BenchmarkLateness] has under way at once.
const LatenessWaits = 100

// BenchmarkLateness reports by how much 1,000 deadlines from 1 ms to 2 s are missed, how long after
// as many cancels at those times a wait ends, and by how much time.Sleep is late. next is
// the wait number i, of LatenessWaits.
func BenchmarkLateness(b *testing.B, next func(i int, ctx context.Context)) {
	const rounds = 10
	var deadlines []time.Duration
	for i := range LatenessWaits {
		deadlines = append(deadlines, time.Millisecond+time.Duration(i)*2*time.Second/LatenessWaits)
	}
	bare := func(_ int, ctx context.Context) {
		at, _ := ctx.Deadline()
		time.Sleep(time.Until(at))
	}
	for _, way := range []struct {
		name string
		of   func([]time.Duration, func(int, context.Context)) []time.Duration
		wait func(i int, ctx context.Context)
	}{
		{"next", Lateness, next}, {"cancel", CancelLateness, next}, {"bare", Lateness, bare},
	} {
		b.Run(way.name, func(b *testing.B) {
			var late []time.Duration
			for range rounds {
				late = append(late, way.of(deadlines, way.wait)...)
			}
			slices.Sort(late)
			for _, q := range []int{50, 99} {
				b.ReportMetric(float64(late[len(late)*q/100].Microseconds()), fmt.Sprintf("p%d-us", q))
			}
			b.ReportMetric(float64(late[len(late)-1].Microseconds()), "max-us")
		})
	}
}
