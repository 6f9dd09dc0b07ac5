package futex

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

// bothWays runs the test with futex_waitv and with a goroutine a word.
func bothWays(t *testing.T, test func(t *testing.T)) {
	for name, without := range map[string]bool{"futex_waitv": false, "a goroutine a word": true} {
		t.Run(name, func(t *testing.T) {
			before := noWaitv.Swap(without)
			defer noWaitv.Store(before)
			test(t)
			if !without && noWaitv.Load() {
				t.Skip("NOT TESTED: this kernel has no futex_waitv")
			}
		})
	}
}

func wordsOf(values []uint32) []Word {
	words := make([]Word, len(values))
	for i := range values {
		words[i] = Word{&values[i], atomic.LoadUint32(&values[i])}
	}
	return words
}

// waitAny waits until one of values has changed.
func waitAny(w *Waiter, values []uint32) func() error {
	words := wordsOf(values)
	return testenv.Background(func() error {
		for {
			interrupts := w.Interrupts()
			for _, word := range words {
				if atomic.LoadUint32(word.Addr) != word.Value {
					return nil
				}
			}
			if _, err := w.WaitAny(words, interrupts, -1); err != nil {
				return err
			}
		}
	})
}

func TestWaitAny_EachWordEndsIt(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		for _, number := range []int{1, 2, MaxWords, MaxWords + 3} {
			w, values := NewWaiter(), make([]uint32, number)
			for _, i := range []int{0, number / 2, number - 1} {
				end := waitAny(w, values)
				runtime.Gosched()
				testenv.Eventually(t, "the wake", func() bool { return wakeUp(t, &values[i], 1) == 1 })
				atomic.AddUint32(&values[i], 1)
				w.Interrupt()
				testenv.WantErr(t, end(), nil)
			}
			w.Unwatch()
		}
	})
}

// Nothing but the wake ends the sleep, which comes at any moment of it, also while watchers sleep
// with an older value of another word.
func TestWaitAny_NoWakeLost(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		w, values := NewWaiter(), make([]uint32, 3)
		defer w.Unwatch()
		for round := range 2000 {
			end := waitAny(w, values)
			if round%3 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
			word := &values[round%len(values)]
			atomic.AddUint32(word, 1)
			if _, err := Wake(word, 1); err != nil {
				t.Fatal(err)
			}
			testenv.WantErr(t, end(), nil)
		}
	})
}

func TestWaitAny_InterruptEndsIt(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		w, values := NewWaiter(), make([]uint32, 3)
		defer w.Unwatch()
		for range 100 {
			words, interrupts := wordsOf(values), w.Interrupts()
			end := testenv.Background(func() error { _, err := w.WaitAny(words, interrupts, -1); return err })
			w.Interrupt()
			testenv.WantErr(t, end(), nil)
		}
	})
}

func TestWaitAny_TimesOut(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		w, values := NewWaiter(), make([]uint32, 3)
		defer w.Unwatch()
		got := OK
		for range 100 { // a signal may end it before
			began := time.Now()
			var err error
			if got, err = w.WaitAny(wordsOf(values), w.Interrupts(), 5*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if got == TimedOut {
				if took := time.Since(began); took < 5*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				return
			}
		}
		t.Errorf("%v", got)
	})
}

func TestWaitAny_WordNotMapped_Error(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		w, there := NewWaiter(), new(uint32)
		defer w.Unwatch()
		words := []Word{{there, 0}, {nil, 0}}
		testenv.Eventually(t, "the error", func() bool {
			_, err := w.WaitAny(words, w.Interrupts(), 10*time.Millisecond)
			return errors.Is(err, unix.EFAULT)
		})
	})
}

// A word that is no longer waited for has no goroutine any more.
func TestWaitAny_Fallback_GoroutinesEnd(t *testing.T) {
	before := noWaitv.Swap(true)
	defer noWaitv.Store(before)
	goroutines := runtime.NumGoroutine()
	w, values := NewWaiter(), make([]uint32, 20)
	for _, number := range []int{20, 5} {
		if _, err := w.WaitAny(wordsOf(values[:number]), w.Interrupts(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, "the end of the others", func() bool { return runtime.NumGoroutine() <= goroutines+number })
	}
	w.Unwatch()
	testenv.Eventually(t, "the end of all", func() bool { return runtime.NumGoroutine() <= goroutines })
}
