package main

import (
	"context"
	"fmt"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// drainer says when a consumer that was asked to stop stops: at most the given time later, as long
// as there are messages of a producer that has ended. While the producer is alive it stops at once:
// the messages are kept for the next consumer.
type drainer struct {
	most   time.Duration
	asked  context.Context // done when the consumer was asked to stop
	ctx    context.Context // done when it is to stop
	cancel context.CancelCauseFunc
}

func newDrainer(ctx context.Context, most time.Duration) *drainer {
	d := &drainer{most: most, asked: ctx, ctx: ctx, cancel: func(error) {}}
	if most > 0 {
		d.ctx, d.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	}
	return d
}

// watch decides by state, which is producerState of the segment. It is not called after stop has
// returned: the segment may be unmapped.
func (d *drainer) watch(state func() (alive, waiting bool)) (stop func()) {
	if d.most <= 0 {
		return func() {}
	}
	left, watched := make(chan struct{}), make(chan struct{})
	unwatch := context.AfterFunc(d.asked, func() {
		defer close(watched)
		look := time.NewTicker(10 * time.Millisecond)
		defer look.Stop()
		for began := time.Now(); time.Since(began) < d.most; {
			if alive, waiting := state(); !waiting || alive && time.Since(began) > exitDelay {
				break
			}
			select {
			case <-left:
				return
			case <-look.C:
			}
		}
		d.cancel(context.Cause(d.asked))
	})
	return func() {
		close(left)
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
