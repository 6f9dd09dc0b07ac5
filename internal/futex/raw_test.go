package futex

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

// withMaxRaw sets the timeout of raw sleeps until the end of the test, and GOMAXPROCS.
func withMaxRaw(t *testing.T, d time.Duration, procs int) {
	before := runtime.GOMAXPROCS(procs)
	maxRaw = d
	t.Cleanup(func() {
		maxRaw = MaxRaw
		runtime.GOMAXPROCS(before)
	})
}

// inRawSleep waits for a raw sleep, a second at most.
func inRawSleep() bool {
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(50 * time.Microsecond) {
		if rawSleeps.Load() == 1 {
			return true
		}
	}
	return false
}

// rawSleep begins a raw sleep and returns when it has begun. Where a signal of the runtime has
// ended it before that was seen, as on a loaded machine, it begins another one.
func rawSleep(t *testing.T, w *Waiter, word *uint32, timeout time.Duration) (end func(*testing.T) Result) {
	t.Helper()
	for range 100 {
		sleep := slept(w, word, 0, timeout, true)
		if inRawSleep() {
			return sleep
		}
		w.Interrupt()
		sleep(t)
	}
	t.Fatal("no raw sleep was seen")
	return nil
}

func TestRaw_OneProcStaysFree(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		entered := 0
		for range 10 {
			if enterRaw() {
				entered++
			}
		}
		if entered != procs-1 {
			t.Errorf("GOMAXPROCS=%d: %d raw sleeps", procs, entered)
		}
		for range entered {
			leaveRaw()
		}
		if n := rawSleeps.Load(); n != 0 {
			t.Fatalf("%d raw sleeps afterwards", n)
		}
	}
}

// The raw sleep of an hour is over at the first signal, and the sleeper sleeps on.
func TestRaw_Signal_OrdinarySleepFollows(t *testing.T) {
	withMaxRaw(t, time.Hour, 2)
	w, word := NewWaiter(), new(uint32)
	thread := make(chan int, 1)
	done := make(chan Result, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		got, _ := w.Wait(word, 0, w.Interrupts(), -1, true)
		done <- got
	}()
	tid := <-thread
	inRawSleep() // else the runtime has ended it by such a signal
	testenv.Eventually(t, "its end", func() bool {
		if err := unix.Tgkill(unix.Getpid(), tid, unix.SIGURG); err != nil { // as the runtime does
			t.Fatal(err)
		}
		return rawSleeps.Load() == 0
	})
	select {
	case got := <-done:
		t.Fatalf("it does not sleep on: %v", got)
	case <-time.After(20 * time.Millisecond):
	}
	testenv.Eventually(t, "the wake", func() bool { return wakeUp(t, word, 1) == 1 })
	if got := <-done; got != OK {
		t.Error(got)
	}
}

// Nothing but the signals of the runtime ends this raw sleep.
func TestRaw_CollectionEndsIt(t *testing.T) {
	withMaxRaw(t, time.Hour, 2)
	w, word := NewWaiter(), new(uint32)
	sleep := rawSleep(t, w, word, -1)
	collected := testenv.Background(func() error { runtime.GC(); return nil })
	testenv.WantErr(t, collected(), nil)
	w.Interrupt()
	sleep(t)
}

// An interrupt does not wait for the timeout either.
func TestRaw_InterruptEndsIt(t *testing.T) {
	withMaxRaw(t, time.Hour, 2)
	w, word := NewWaiter(), new(uint32)
	for range 100 {
		sleep := rawSleep(t, w, word, time.Hour)
		w.Interrupt()
		if got := sleep(t); got == TimedOut {
			t.Error(got)
		}
	}
}

// Two goroutines that wake each other, in raw sleeps where there may be any, while others work
// and collections run.
func TestRaw_OthersMakeProgress(t *testing.T) {
	for _, procs := range []int{1, 2, 3} {
		withMaxRaw(t, MaxRaw, procs)
		const rounds = 30
		words := new([2]uint32)
		side := func(own int) func() error {
			w := NewWaiter()
			return testenv.Background(func() error {
				for round := range uint32(rounds) {
					atomic.StoreUint32(&words[own], round+1)
					if _, err := Wake(&words[own], 1); err != nil {
						return err
					}
					other := &words[1-own]
					for seen := atomic.LoadUint32(other); seen <= round; seen = atomic.LoadUint32(other) {
						if _, err := w.Wait(other, seen, w.Interrupts(), -1, true); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
		var stop atomic.Bool
		turns := make([]int, procs+1)
		var busy []func() error
		for i := range turns {
			busy = append(busy, testenv.Background(func() error {
				for ; !stop.Load(); turns[i]++ {
				}
				return nil
			}))
		}
		there, back := side(0), side(1)
		for range 5 {
			runtime.GC()
		}
		time.Sleep(time.Millisecond) // a timer
		testenv.WantErr(t, there(), nil)
		testenv.WantErr(t, back(), nil)
		stop.Store(true)
		for i, wait := range busy {
			testenv.WantErr(t, wait(), nil)
			if turns[i] == 0 {
				t.Errorf("GOMAXPROCS=%d: goroutine %d never ran", procs, i)
			}
		}
	}
}
