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
	testenv.Eventually(t, "the raw sleep", func() bool { return rawSleeps.Load() == 1 })
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
	sleep := slept(w, word, 0, -1, true)
	testenv.Eventually(t, "the raw sleep", func() bool { return rawSleeps.Load() == 1 })
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
		sleep := slept(w, word, 0, time.Hour, true)
		testenv.Eventually(t, "the raw sleep", func() bool { return rawSleeps.Load() == 1 })
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
