package shm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/layout"
)

func TestWaitReturnsAtOnceWhenTheWordHoldsSomethingElse(t *testing.T) {
	word := uint32(1)
	for _, timeout := range []time.Duration{-1, 0, patience} {
		if got, err := Wait(&word, 2, timeout); got != NotEqual || err != nil {
			t.Errorf("timeout %v: %v, %v", timeout, got, err)
		}
	}
}

func TestWaitEndsWhenTheTimeIsUp(t *testing.T) {
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

func TestNotifyWakesAGoroutine(t *testing.T) {
	var word uint32
	woken := make(chan string, 1)
	go func() {
		got, err := Wait(&word, 0, -1)
		woken <- fmt.Sprint(got, err)
	}()
	eventually(t, "the wake", func() bool { return notify(t, &word, 1) == 1 })
	if got := <-woken; got != "ok <nil>" {
		t.Error(got)
	}
}

func TestNotifyWakesNobodyWhenNobodyWaits(t *testing.T) {
	var word uint32
	for _, n := range []int{0, 1, -1, math.MaxInt} {
		if woken := notify(t, &word, n); woken != 0 {
			t.Errorf("Notify %d woke %d", n, woken)
		}
	}
}

func TestNotifyWakesAsManyAsItIsTold(t *testing.T) {
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
		eventually(t, "waking all three", func() bool { return notify(t, &word, all) == 3 })
	}
	for range 20 {
		if woken := notify(t, &word, 2); woken > 2 {
			t.Errorf("Notify 2 woke %d", woken)
		}
		time.Sleep(time.Millisecond)
	}
	atomic.StoreUint32(&word, 1)
	notify(t, &word, -1)
	sleepers.Wait()
}

func TestNotifyWakesAnotherProcess(t *testing.T) {
	name := segmentName(t)
	s := newSegment(t, name)
	c := startChild(t, "wait", name)
	c.says(t, "waiting")
	eventually(t, "the wake", func() bool { return notify(t, word(s), 1) == 1 })
	c.says(t, "ok")
}

func TestAnotherProcessWakesAWaiter(t *testing.T) {
	name := segmentName(t)
	s := newSegment(t, name)
	woken := make(chan string, 1)
	go func() {
		got, err := Wait(word(s), 0, -1)
		woken <- fmt.Sprint(got, err)
	}()
	c := startChild(t, "notify", name)
	c.says(t, "woke it")
	if got := <-woken; got != "ok <nil>" {
		t.Error(got)
	}
}

func waitChild(args []string) error {
	s, err := Open(context.Background(), args[0], layout.Consumer)
	if err != nil {
		return err
	}
	fmt.Println("waiting")
	result, err := Wait(word(s), 0, -1)
	fmt.Println(result)
	return err
}

func notifyChild(args []string) error {
	s, err := Open(context.Background(), args[0], layout.Consumer)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n, err := Wake(word(s), 1); n == 1 || err != nil {
			fmt.Println("woke it")
			return err
		}
	}
	return errors.New("nobody waited")
}

func TestAWordThatIsNotThereIsAnError(t *testing.T) {
	name := segmentName(t)
	lost := word(newSegment(t, name))
	if err := os.Truncate(Path(name), 0); err != nil {
		t.Fatal(err)
	}
	for what, addr := range map[string]*uint32{"no address": nil, "in a truncated segment": lost} {
		if got, err := Wait(addr, 0, patience); !errors.Is(err, ErrTruncated) {
			t.Errorf("wait, %s: %v, %v", what, got, err)
		}
		if n, err := Wake(addr, 1); !errors.Is(err, ErrTruncated) || n != 0 {
			t.Errorf("notify, %s: %d, %v", what, n, err)
		}
	}
}

func TestResultsAreSpeltAsInJavaScript(t *testing.T) {
	for got, want := range map[Result]string{OK: "ok", NotEqual: "not-equal", TimedOut: "timed-out"} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func notify(t *testing.T, addr *uint32, n int) int {
	t.Helper()
	woken, err := Wake(addr, n)
	if err != nil {
		t.Fatal(err)
	}
	return woken
}
