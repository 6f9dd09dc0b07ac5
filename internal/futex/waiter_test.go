package futex

import (
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/cpu"
	"sluice/internal/monotonic"
	"sluice/internal/testenv"
)

// allWays runs the test on two words and on one, whatever the kernel has, and with a raw sleep
// first.
func allWays(t *testing.T, test func(t *testing.T, short bool)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for name, way := range map[string]struct{ without, short bool }{
		"futex_waitv":         {false, false},
		"no futex_waitv":      {true, false},
		"raw":                 {false, true},
		"raw, no futex_waitv": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := noWaitv.Swap(way.without)
			defer noWaitv.Store(before)
			test(t, way.short)
			if !way.without && noWaitv.Load() {
				t.Skip("NOT TESTED: this kernel has no futex_waitv")
			}
		})
	}
}

// slept runs Wait on a goroutine and returns what it says, when asked.
func slept(s *Waiter, addr *uint32, val uint32, timeout time.Duration, short bool) (join func(t *testing.T) Result) {
	type outcome struct {
		Result
		error
	}
	done := make(chan outcome, 1)
	n := s.Interrupts()
	go func() {
		r, err := s.Wait(addr, val, n, timeout, short)
		done <- outcome{r, err}
	}()
	return func(t *testing.T) Result {
		t.Helper()
		select {
		case got := <-done:
			if got.error != nil {
				t.Fatal(got.error)
			}
			return got.Result
		case <-time.After(testenv.Timeout):
			t.Fatal("it sleeps on")
		}
		panic("unreachable")
	}
}

func TestWaiter_Interrupt_EndsSleep(t *testing.T) {
	allWays(t, func(t *testing.T, short bool) {
		for _, settled := range []time.Duration{0, 50 * time.Millisecond} { // falling asleep, asleep
			s, word := NewWaiter(), new(uint32)
			sleep := slept(s, word, 0, -1, short)
			time.Sleep(settled)
			s.Interrupt()
			sleep(t)
		}
	})
}

func TestWaiter_InterruptBeforeWait_Remembered(t *testing.T) {
	allWays(t, func(t *testing.T, short bool) {
		s, word := NewWaiter(), new(uint32)
		n := s.Interrupts()
		s.Interrupt()
		if got, err := s.Wait(word, 0, n, -1, short); got == TimedOut || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		// Who knows of it sleeps on.
		for got := OK; got != TimedOut; {
			var err error
			if got, err = s.Wait(word, 0, s.Interrupts(), time.Millisecond, short); err != nil || got == NotEqual {
				t.Fatalf("%v, %v", got, err)
			}
		}
	})
}

func TestWaiter_SameResultsAsWait(t *testing.T) {
	allWays(t, func(t *testing.T, short bool) {
		s, word := NewWaiter(), new(uint32)
		*word = 7
		for _, timeout := range []time.Duration{-1, 0, testenv.Timeout} {
			if got, err := s.Wait(word, 8, s.Interrupts(), timeout, short); got != NotEqual || err != nil {
				t.Errorf("another value, timeout %v: %v, %v", timeout, got, err)
			}
		}
		for _, timeout := range []time.Duration{0, 1, time.Millisecond} {
			began := monotonic.Now()
			got, err := OK, error(nil)
			for got == OK && err == nil { // a signal may interrupt it
				got, err = s.Wait(word, 7, s.Interrupts(), timeout, short)
			}
			if took := monotonic.Now() - began; got != TimedOut || err != nil || took < uint64(timeout) {
				t.Errorf("timeout %v: %v, %v after %d ns", timeout, got, err, took)
			}
		}
		sleep := slept(s, word, 7, -1, short)
		testenv.Eventually(t, "the wake", func() bool { return wakeUp(t, word, 1) == 1 })
		if got := sleep(t); got != OK {
			t.Errorf("woken: %v", got)
		}
		if got, err := s.Wait(nil, 0, s.Interrupts(), testenv.Timeout, short); !errors.Is(err, unix.EFAULT) {
			t.Errorf("a word that is not there: %v, %v", got, err)
		}
	})
}

func TestWaiter_WokenByOtherProcess(t *testing.T) {
	allWays(t, func(t *testing.T, short bool) {
		path, word := sharedWord(t)
		sleep := slept(NewWaiter(), word, 0, -1, short)
		testenv.StartChild(t, "wake", path).WantLine(t, "woke it")
		if got := sleep(t); got != OK {
			t.Error(got)
		}
	})
}

// The interrupt comes at every moment of the loop that the doc comment of Waiter shows,
// and nothing else ends the sleep.
func TestWaiter_NoInterruptLost(t *testing.T) {
	allWays(t, func(t *testing.T, short bool) {
		s, word := NewWaiter(), new(uint32)
		const rounds = 1000
		var announced, noticed atomic.Uint32
		done := make(chan error, 1)
		go func() {
			for noticed.Load() < rounds {
				n := s.Interrupts()
				if a := announced.Load(); a != noticed.Load() {
					noticed.Store(a)
					continue
				}
				if _, err := s.Wait(word, 0, n, -1, short); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for i := range uint32(rounds) {
			announced.Store(i + 1)
			s.Interrupt()
			deadline := time.Now().Add(testenv.Timeout)
			for noticed.Load() != i+1 {
				if time.Now().After(deadline) {
					t.Fatalf("interrupt %d was lost", i)
				}
			}
			cpu.Pause(1 + i%200) // so that the next one comes at another moment
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWaiter_NoFutexWaitv_FallsBackToOneWord(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		c := testenv.StartChild(t, "one word", strconv.Itoa(int(errno)))
		c.WantLine(t, "interrupted")
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %v", errno, err)
		}
	}
}

// A sleeper on one word has said that it sleeps, and is held up before it does.
func TestWaiter_Fallback_InterruptRepeated(t *testing.T) {
	s, word := NewWaiter(), new(uint32)
	s.addr.Store(word)
	s.oneWord.Store(oneWordSleep | uint64(s.Interrupts()))
	done := make(chan bool)
	go func() { s.Interrupt(); close(done) }()
	testenv.Eventually(t, "the interrupt", func() bool { return s.Interrupts() == 1 })
	time.Sleep(5 * time.Millisecond)
	if got, err := Wait(word, 0, testenv.Timeout); got != OK || err != nil {
		t.Errorf("%v, %v: it was not woken", got, err)
	}
	s.oneWord.Store(0)
	<-done
}
