package main

import (
	"context"
	"fmt"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// draining returns a context for the loop that is done at most the given time after ctx, as long
// as there are messages of a producer that has ended. While the producer is alive it is done
// with ctx: the messages are kept for the next consumer.
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
			if alive, waiting := producerState(seg); !waiting || alive && time.Since(began) > exitDelay {
				break
			}
		}
		cancel(context.Cause(ctx))
	})
	// The segment is not read after stop has returned: it may be unmapped.
	return loop, func() {
		cancel(nil)
		if !unwatch() {
			<-watched
		}
	}
}

// drainHint is the hint for a consumer that was stopped before it had received the messages of
// an ended producer.
func drainHint(most time.Duration) string {
	if most > 0 {
		return fmt.Sprintf("choose a longer --drain than %v", most)
	}
	return "--drain TIME receives such messages before the consumer stops"
}

// exitDelay is how long a producer that is killed together with this consumer may still seem
// alive: with ten thousand buffers in its queue, the kernel takes 0.1 s to end it.
const exitDelay = 500 * time.Millisecond

// producerState reports whether the producer is alive, and whether messages are waiting.
func producerState(seg *shm.Segment) (alive, waiting bool) {
	alive = !seg.Absent(layout.Producer)
	s, err := pressure.Observe(seg)
	return alive, err == nil && s.Depth() > 0
}
