package ratelimit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/schedule"
)

// allowed returns at which times since the first Wait messages were allowed. delay says how long
// the loop is held back after message k.
func allowed(t *testing.T, l *Limiter, n int, delay func(k int) time.Duration) (at []time.Duration) {
	t.Helper()
	start := time.Now()
	for k := range n {
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		at = append(at, time.Since(start))
		time.Sleep(delay(k))
	}
	return at
}

func never(int) time.Duration { return 0 }

func TestLimiter_FollowsSchedule(t *testing.T) {
	for _, s := range []schedule.Spec{
		{Rate: 1000}, {Rate: 0.5}, {Rate: 1000, Burst: 10}, {Rate: 1000, Arrivals: schedule.Poisson, Seed: 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Second) // before the first Wait: nothing is due
			times := s.Times()
			for k, at := range allowed(t, New(s), 200, never) {
				if want := times.Next(); at != want {
					t.Fatalf("%+v: message %d was allowed after %v, want %v", s, k, at, want)
				}
			}
		})
	}
}

// A delay of up to 10 ms does not lower the average; of a longer one 10 ms are caught up.
func TestLimiter_Delayed_CatchesUp10ms(t *testing.T) {
	for _, c := range []struct{ delay, shift time.Duration }{
		{9 * time.Millisecond, 0}, {10 * time.Millisecond, 0}, {100 * time.Millisecond, 89 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			at := allowed(t, New(schedule.Spec{Rate: 1000}), 100, func(k int) time.Duration {
				if k == 50 {
					return c.delay
				}
				return 0
			})
			// Message 51 was due 1 ms after message 50.
			if got := at[51] - at[50]; got != c.delay {
				t.Errorf("delay %v: the next message was allowed after %v", c.delay, got)
			}
			if got, want := at[99], 99*time.Millisecond+c.shift; got != want {
				t.Errorf("delay %v: message 99 was allowed after %v, want %v", c.delay, got, want)
			}
		})
	}
}

func TestLimiter_BeforeSleep_OnlyBeforeSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := 0
		l := New(schedule.Spec{Rate: 1000, Burst: 10})
		l.BeforeSleep(func() { slept++ })
		allowed(t, l, 100, never)
		if slept != 9 { // before each burst but the first
			t.Errorf("called %d times, want 9", slept)
		}
	})
}

func TestLimiter_Canceled_Cause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := errors.New("stopped")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { stop(stopped) })
		l, start := New(schedule.Spec{Rate: 1e-9}), time.Now()
		if err := l.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if err := l.Wait(ctx); err != stopped || time.Since(start) != time.Minute {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

func TestLimiter_NoRate_Nil(t *testing.T) {
	l := New(schedule.Spec{})
	l.BeforeSleep(func() {})
	if err := l.Wait(context.Background()); l != nil || err != nil {
		t.Errorf("%v, %v", l, err)
	}
}
