package liveness

import (
	"testing"
	"time"
)

func TestBound_OnlyWithWatchdog(t *testing.T) {
	defer Watch(false)
	for _, d := range []time.Duration{0, time.Millisecond, Every, time.Hour} {
		if got := Bound(d); got != d {
			t.Errorf("nobody looks: %v of a wait of %v", got, d)
		}
	}
	Watch(true)
	for d, want := range map[time.Duration]time.Duration{0: 0, time.Millisecond: time.Millisecond, Every: Every, time.Hour: Every} {
		if got := Bound(d); got != want {
			t.Errorf("with a watchdog: %v of a wait of %v, want %v", got, d, want)
		}
	}
}
