package endpoint

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/layout"
)

var testStart = time.Now()

func testClock() uint64 { return uint64(time.Since(testStart)) + 1 }

// at is a clock that stands still.
func at(ns uint64) func() uint64 { return func() uint64 { return ns } }

const second = 1_000_000_000

func TestBlocked_SleepCountsOneSecondBeyondProgress(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *layout.RoleStats)
		now  uint64
		want uint64
	}{
		{"never asleep", func(*layout.RoleStats) {}, 9 * second, 0},
		{"asleep", func(s *layout.RoleStats) { BeginSleep(s, 5, 10*second) }, 10*second + skew + 8, 12},
		{"for a second without a look", func(s *layout.RoleStats) { BeginSleep(s, 5, 10*second) }, 11 * second, second - skew + 4},
		{"for longer without a look: stopped or killed", func(s *layout.RoleStats) { BeginSleep(s, 5, 10*second) }, 60 * second, second - skew + 4},
		{"after a look", func(s *layout.RoleStats) { BeginSleep(s, 5, 10*second); ContinueSleep(s, 10*second+second/2) }, 11 * second, second - skew + 4},
		{"after a look that came late, without the time in between", func(s *layout.RoleStats) {
			BeginSleep(s, 5, 10*second)
			ContinueSleep(s, 20*second)
		}, 20*second + skew + 8, second - skew + 11},
		{"a look while awake", func(s *layout.RoleStats) { ContinueSleep(s, 20*second) }, 21 * second, 0},
		{"stopped, then awake", func(s *layout.RoleStats) { BeginSleep(s, 5, 10*second); EndSleep(s, at(20*second)) }, 21 * second, second - skew + 4},
		{"killed, then taken over", func(s *layout.RoleStats) {
			BeginSleep(s, 5, 10*second)
			if got := TakeOver(s, Holder{}, at(20*second), false); got != second-skew+4 {
				t.Errorf("the successor begins with %d", got)
			}
		}, 21 * second, second - skew + 4},
	} {
		var s layout.RoleStats
		c.do(&s)
		if got := BlockedAt(&s, c.now); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// A reader's clock may run ahead of the one with which the sleeper ends its sleep:
// the value that ends it has to cover what was shown.
func TestBlocked_NeverFalls(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(s *layout.RoleStats)
	}{
		{"EndSleep", func(s *layout.RoleStats) { EndSleep(s, testClock) }},
		{"TakeOver", func(s *layout.RoleStats) { TakeOver(s, Holder{}, testClock, false) }},
		{"ContinueSleep", func(s *layout.RoleStats) { ContinueSleep(s, testClock()); EndSleep(s, testClock) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var (
				side  layout.RoleStats
				shown atomic.Uint64 // the most that anybody was shown
				done  atomic.Bool
				wait  sync.WaitGroup
			)
			for range 3 {
				wait.Go(func() {
					for !done.Load() {
						least := shown.Load()
						got := BlockedAt(&side, testClock())
						if got < least {
							t.Errorf("%d ns after %d: %d less", got, least, least-got)
							return
						}
						for got > least && !shown.CompareAndSwap(least, got) {
							least = shown.Load()
						}
					}
				})
			}
			for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
				BeginSleep(&side, side.Blocked.LoadRelaxed(), testClock())
				for range rand.IntN(200) {
					testClock()
				}
				c.end(&side)
			}
			done.Store(true)
			wait.Wait()
		})
	}
}

func TestEnd_IncompleteStreamCounted(t *testing.T) {
	var s layout.RoleStats
	for _, c := range []struct {
		end        layout.End
		published  bool
		incomplete uint64
	}{
		{layout.EndComplete, true, 0}, {layout.EndStopped, true, 1}, {layout.EndFailed, true, 2}, {layout.EndComplete, true, 2},
		{layout.EndStopped, false, 2}, {layout.EndFailed, false, 2},
	} {
		Begin(&s)
		SetEnd(&s, c.end, c.published)
		Close(&s, 5)
		if layout.End(s.End.Load()) != c.end || s.Incomplete.Load() != c.incomplete || layout.State(s.State.Load()) != layout.StateClosed {
			t.Errorf("after %v: end %d, %d incomplete, state %d", c.end, s.End.Load(), s.Incomplete.Load(), s.State.Load())
		}
	}
}

func TestHolder_Identity(t *testing.T) {
	var s layout.RoleStats
	TakeOver(&s, Holder{PID: 1, UID: 2, PIDNamespace: 3, TimeNamespace: 4}, at(5), true)
	got := [...]uint64{s.PID.Load(), s.UID.Load(), s.PIDNamespace.Load(), s.TimeNamespace.Load(), s.StartedAt.Load(), s.Keep.Load()}
	if got != [...]uint64{1, 2, 3, 4, 5, 1} {
		t.Error(got)
	}
}
