// Package liveness tells a loop that waits from one that hangs. A side whose message
// takes a minute of --work, or whose input is a quiet pipe, leaves no trace in its
// segment for that long; the waits that are meant beat instead, once a second.
// Nothing beats that is not the loop itself: a loop that hangs has no pulse.
package liveness

import (
	"sync/atomic"
	"time"
)

// Every is the longest that a wait may be without a beat.
const Every = time.Second

var beats atomic.Uint64

// Beat says that the loop of this process has come by.
func Beat() { beats.Add(1) }

// Beats returns how often it has.
func Beats() uint64 { return beats.Load() }
