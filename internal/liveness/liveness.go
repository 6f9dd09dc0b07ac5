// Package liveness counts heartbeats, by which a watchdog tells a loop that waits from one
// that hangs. A side whose message takes a minute of --work, or whose input is a pipe
// without data, changes nothing in its segment for that long; an intended wait calls Beat
// instead, once a second. Only the goroutine of the loop may call it, never a timer or
// another goroutine, which would go on while the loop hangs.
package liveness

import (
	"sync/atomic"
	"time"
)

// Every is the longest time that an intended wait may take between two calls of Beat.
const Every = time.Second

var beats atomic.Uint64

// Beat records that the loop of this process runs.
func Beat() { beats.Add(1) }

// Beats returns how often Beat was called. Any goroutine may call it.
func Beats() uint64 { return beats.Load() }
