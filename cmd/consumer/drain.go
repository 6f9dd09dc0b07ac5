package main

import (
	"context"
	"fmt"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// draining returns a context for the loop that outlives ctx, for at most the given time, while
// there are messages whose producer has ended. Else the loop is to stop: a producer that
// lives keeps them for the next consumer.
func draining(ctx context.Context, seg *shm.Segment, most time.Duration) (_ context.Context, stop func()) {
	if most <= 0 {
		return ctx, func() {}
	}
	loop, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(watched)
		const look = 10 * time.Millisecond
		began := time.Now()
		for until := began.Add(most); time.Now().Before(until) && loop.Err() == nil; time.Sleep(look) {
			if alive, waiting := left(seg); !waiting || alive && time.Since(began) > dying {
				break
			}
		}
		cancel(context.Cause(ctx))
	})
	// The segment is not looked at once stop has returned.
	return loop, func() {
		cancel(nil)
		if !unwatch() {
			<-watched
		}
	}
}

// drainHint is for a consumer that was asked to stop and left what it could have taken.
func drainHint(most time.Duration) string {
	if most > 0 {
		return fmt.Sprintf("allow more than %v for it: --drain", most)
	}
	return "to take first what such a producer has left: --drain TIME"
}

// dying is how long a producer may seem to live that is killed together with this consumer:
// with ten thousand buffers in its queue, the kernel needs a tenth of a second to end it.
const dying = 500 * time.Millisecond

// left reports whether a producer lives, who keeps what waits, and whether something does.
func left(seg *shm.Segment) (alive, waiting bool) {
	alive = !seg.Absent(layout.Producer)
	s, err := pressure.Observe(seg)
	return alive, err == nil && s.Depth() > 0
}
