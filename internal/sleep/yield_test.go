package sleep

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

// A yield that lasts for long is left out more and more, one in vain in a few waits, and one that
// pays off is made in the next wait again.
func TestYielder_Skips(t *testing.T) {
	for _, c := range []struct {
		name  string
		took  uint64
		ready bool
		skips []uint32 // after each of so many yields in a row
	}{
		{"in time", switched, true, []uint32{0, 0}},
		{"in vain", switched, false, []uint32{1, 3, 7, 15, 31, 31}},
		{"long", maxYield + 1, true, []uint32{1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1023}},
	} {
		var y yielder
		for n, want := range c.skips {
			if !y.due() {
				t.Errorf("%s: yield %d is not due", c.name, n)
			}
			y.learn(c.took, c.ready)
			skipped := uint32(0)
			for y.skip > 0 && !y.due() {
				skipped++
			}
			if skipped != want {
				t.Errorf("%s: %d waits without a yield after %d yields, want %d", c.name, skipped, n+1, want)
			}
		}
	}
	long := yielder{skipped: maxSkipLong}
	if long.learn(switched, false); long.skip != maxSkipLong {
		t.Errorf("%d waits without a yield after a short one in vain, want as many as before", long.skip)
	}
}

// Two sides that share a processor wait for each other without a sleep, and the time in which the
// other one had it is blocked time. Where others want the processor too, only some rounds show it.
func TestYield_SharedProcessor_NoSleep(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("two threads that run goroutines are needed, and GOMAXPROCS is 1")
	}
	const rounds, messages = 100, 500
	var waits, woken, blocked uint64
	for range rounds {
		p, c, h := pair(SpinAdaptive)
		var stop atomic.Bool
		publishing := testenv.Background(func() error {
			defer stop.Store(true)
			return onFirstProcessor(func() error {
				for !stop.Load() {
					p.publish()
					unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
				}
				return nil
			})
		})
		taking := testenv.Background(func() error {
			defer stop.Store(true)
			return onFirstProcessor(func() error {
				for range messages {
					if err := c.next(t.Context()); err != nil {
						return err
					}
				}
				return nil
			})
		})
		testenv.WantErr(t, taking(), nil)
		testenv.WantErr(t, publishing(), nil)
		waits, woken = h.ConsumerStats.Waits.Load(), h.ProducerStats.WakesSent.Load()
		blocked = h.ConsumerStats.Blocked.Load()
		// Where a switch takes less than switched, it is no wait.
		if woken < messages/10 && (waits <= messages/2 || blocked > waits*switched/2) {
			return
		}
		time.Sleep(20 * time.Millisecond) // another process may have the processor for a while
	}
	t.Errorf("%d waits for %d messages in the last of %d rounds, %d with a wake, %d ns blocked", waits, messages, rounds, woken, blocked)
}

// onFirstProcessor calls f on the first processor that this process may use. The thread ends with
// the goroutine.
func onFirstProcessor(f func() error) error {
	runtime.LockOSThread()
	var may, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return err
	}
	for cpu := 0; first.Count() == 0; cpu++ {
		if may.IsSet(cpu) {
			first.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		return err
	}
	return f()
}
