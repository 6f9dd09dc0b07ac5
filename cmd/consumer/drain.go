package main

import (
	"context"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// draining returns a context for the loop that outlives ctx, for at most the given time, while
// there are messages whose producer has ended. Else the loop is to stop at once: a
// producer that lives keeps them for the next consumer.
func draining(ctx context.Context, seg *shm.Segment, most time.Duration) (_ context.Context, stop func()) {
	if most <= 0 {
		return ctx, func() {}
	}
	loop, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(watched)
		const look = 10 * time.Millisecond
		for until := time.Now().Add(most); time.Now().Before(until) && loop.Err() == nil && left(seg); {
			time.Sleep(look)
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

// left reports whether there is something to take, and nobody to keep it.
func left(seg *shm.Segment) bool {
	if seg.Alive(layout.Producer) {
		return false
	}
	s, err := pressure.Observe(seg)
	return err == nil && s.Depth() > 0
}
