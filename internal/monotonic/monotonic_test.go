package monotonic

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestNow_KernelsMonotonicClock(t *testing.T) {
	const tolerance = uint64(time.Millisecond)
	kernel := func() uint64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return uint64(ts.Nano())
	}
	for range 1000 {
		before := kernel()
		now := Now()
		if after := kernel(); now+tolerance < before || now > after+tolerance {
			t.Fatalf("%d is not between %d and %d", now, before, after)
		}
	}
}

func TestNow_NeverGoesBack(t *testing.T) {
	for last := range 10000 {
		a, b := Now(), Now()
		if b < a {
			t.Fatalf("reading %d: %d after %d", last, b, a)
		}
	}
}
