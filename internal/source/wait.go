package source

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
	"sluice/internal/ratelimit"
)

// A precise wait has three parts. A timer of the Go runtime can be canceled, and may be a
// millisecond late. clock_nanosleep(2) is late by the timer slack (50 us by default) and by the
// time that a processor needs to wake up. The rest is spun.
const (
	timerLate = 2 * time.Millisecond
	spinFor   = 150 * time.Microsecond
)

// sleepUntil sleeps until the time at after start, or less when ctx is done: it looks at ctx
// until timerLate before that.
func sleepUntil(ctx context.Context, start time.Time, at time.Duration) {
	left := at - time.Since(start)
	if left > timerLate {
		ratelimit.Sleep(ctx, left-timerLate)
		left = at - time.Since(start)
	}
	if left <= 0 || ctx.Err() != nil {
		return
	}
	until := unix.NsecToTimespec(int64(monotonic.At(start.Add(at))))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil) == unix.EINTR {
	}
}

// spinUntil spins until the time at after start, and returns the time since start. yield says that
// other goroutines need the processor meanwhile.
func spinUntil(start time.Time, at time.Duration, yield bool) time.Duration {
	for {
		now := time.Since(start)
		if now >= at {
			return now
		}
		if yield {
			runtime.Gosched()
		}
	}
}
