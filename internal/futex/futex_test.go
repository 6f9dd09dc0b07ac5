package futex

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sluice/internal/testenv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWait_OtherValue_ReturnsAtOnce(t *testing.T) {
	word := uint32(1)
	for _, timeout := range []time.Duration{-1, 0, testenv.Timeout} {
		if got, err := Wait(&word, 2, timeout); got != NotEqual || err != nil {
			t.Errorf("timeout %v: %v, %v", timeout, got, err)
		}
	}
}

func TestWait_Timeout(t *testing.T) {
	word := uint32(7)
	for _, timeout := range []time.Duration{0, 1, time.Millisecond} {
		got, err := OK, error(nil)
		for got == OK && err == nil { // a signal may interrupt it
			got, err = Wait(&word, 7, timeout)
		}
		if got != TimedOut || err != nil {
			t.Errorf("timeout %v: %v, %v", timeout, got, err)
		}
	}
}

func TestWake_Goroutine(t *testing.T) {
	var word uint32
	woken := make(chan string, 1)
	go func() {
		got, err := Wait(&word, 0, -1)
		woken <- fmt.Sprint(got, err)
	}()
	testenv.Eventually(t, "the wake", func() bool { return wakeUp(t, &word, 1) == 1 })
	if got := <-woken; got != "ok <nil>" {
		t.Error(got)
	}
}

func TestWake_NoWaiter_Zero(t *testing.T) {
	var word uint32
	for _, n := range []int{0, 1, -1, math.MaxInt} {
		if woken := wakeUp(t, &word, n); woken != 0 {
			t.Errorf("Wake %d woke %d", n, woken)
		}
	}
}

func TestWake_Number(t *testing.T) {
	var word uint32
	var sleepers sync.WaitGroup
	for range 3 {
		sleepers.Go(func() {
			for atomic.LoadUint32(&word) == 0 {
				Wait(&word, 0, -1)
			}
		})
	}
	for _, all := range []int{-1, math.MaxInt, 3} {
		testenv.Eventually(t, "waking all three", func() bool { return wakeUp(t, &word, all) == 3 })
	}
	for range 20 {
		if woken := wakeUp(t, &word, 2); woken > 2 {
			t.Errorf("Wake 2 woke %d", woken)
		}
		time.Sleep(time.Millisecond)
	}
	atomic.StoreUint32(&word, 1)
	wakeUp(t, &word, -1)
	sleepers.Wait()
}

func TestWake_OtherProcess(t *testing.T) {
	path, word := sharedWord(t)
	c := testenv.StartChild(t, "wait", path)
	c.WantLine(t, "waiting")
	testenv.Eventually(t, "the wake", func() bool { return wakeUp(t, word, 1) == 1 })
	c.WantLine(t, "ok")
}

func TestWait_WokenByOtherProcess(t *testing.T) {
	path, word := sharedWord(t)
	woken := make(chan string, 1)
	go func() {
		got, err := Wait(word, 0, -1)
		woken <- fmt.Sprint(got, err)
	}()
	c := testenv.StartChild(t, "wake", path)
	c.WantLine(t, "woke it")
	if got := <-woken; got != "ok <nil>" {
		t.Error(got)
	}
}

func TestWait_UnmappedWord_Error(t *testing.T) {
	path, lost := sharedWord(t)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for what, addr := range map[string]*uint32{"no address": nil, "in a truncated file": lost} {
		if got, err := Wait(addr, 0, testenv.Timeout); !errors.Is(err, unix.EFAULT) {
			t.Errorf("wait, %s: %v, %v", what, got, err)
		}
		if n, err := Wake(addr, 1); !errors.Is(err, unix.EFAULT) || n != 0 {
			t.Errorf("wake, %s: %d, %v", what, n, err)
		}
	}
}

func TestResult_String(t *testing.T) {
	for got, want := range map[Result]string{OK: "ok", NotEqual: "not-equal", TimedOut: "timed-out"} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func wakeUp(t *testing.T, addr *uint32, n int) int {
	t.Helper()
	woken, err := Wake(addr, n)
	if err != nil {
		t.Fatal(err)
	}
	return woken
}
