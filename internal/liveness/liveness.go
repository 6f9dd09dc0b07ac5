// Package liveness counts heartbeats, by which a watchdog tells a loop that waits from one
// that hangs. A side whose message takes a minute of --work, or whose input is a pipe
// without data, changes nothing in its segment for that long; an intended wait calls Beat
// instead, once a second if there is a watchdog. Only the goroutine of the loop may call it,
// never a timer or another goroutine, which would go on while the loop hangs.
package liveness

import (
	"sync/atomic"
	"time"
)

// Every is the longest time that an intended wait may take between two calls of Beat, if there is a
// watchdog.
const Every = time.Second

var (
	beats   atomic.Uint64
	watched atomic.Bool
)

// Watch says whether this process has a watchdog; at first it has none. It is called before the
// loop begins.
func Watch(has bool) { watched.Store(has) }

// Bound returns how much of an intended wait of d may pass until the next call of Beat: all of it
// when nobody looks, because each wake-up of an idle process costs it some 0.2 ms of processor.
func Bound(d time.Duration) time.Duration {
	if watched.Load() {
		return min(d, Every)
	}
	return d
}

// Beat records that the loop of this process runs.
func Beat() { beats.Add(1) }

// Beats returns how often Beat was called. Any goroutine may call it.
func Beats() uint64 { return beats.Load() }
