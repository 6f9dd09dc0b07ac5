// Package replace removes a segment that a producer cannot use, because it needs one of another
// kind under the same name.
package replace

import (
	"context"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/shm"
)

// leaveTimeout is how long Segment waits for a consumer that may be about to finish: to receive the
// rest of a stream that has ended, to report the end, to leave.
const leaveTimeout = time.Second

// Segment removes the file of seg, in which the caller holds the producer role, so that a segment
// of that mode can be made in its place. Nothing may be lost with it: everything published must be
// released, and either no consumer is there, or one that opens the name again
// (RoleStats.Replace), which is told. It waits a little for that if the last producer has ended.
//
// It reports whether the name is free, and returns the endpoint.CarryOver for the new segment. The
// caller leaves seg in any case.
func Segment(ctx context.Context, seg *shm.Segment, mode layout.Mode) (removed bool, carryOver uint64) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	h, of := seg.Header(), seg.Geometry().Mode
	_ = shm.Guard(func() error { // the caller's error says more than that the segment is truncated
		followed := false
		for {
			wait := false
			var err error
			removed, err = seg.Unlink(ctx, func(alone bool) bool {
				carryOver = endpoint.CarryOver(h, of)
				followed = !alone
				may := removable(h, of, mode, alone)
				wait = !may && !alone && layout.State(h.ProducerStats.State.Load()) == layout.StateClosed
				return may
			})
			if removed && followed {
				h.ProducerStats.Replace.Store(1)
				sleep.WakeForEnd(sleep.WordsOf(h, layout.Producer))
			}
			if removed || err != nil || !wait || ctx.Err() != nil {
				return nil
			}
			time.Sleep(time.Millisecond)
		}
	})
	return removed, carryOver
}

// Done reports whether the file of seg was removed by Segment: another one of that name follows.
// The consumer of seg may ask.
func Done(seg *shm.Segment) (done bool) {
	_ = shm.Guard(func() error { done = seg.Header().ProducerStats.Replace.Load() != 0; return nil })
	return done
}

// removable reports whether a segment of mode of may be replaced by one of mode by.
func removable(h *layout.Header, of, by layout.Mode, alone bool) bool {
	released := h.Producer.Index.Load() == h.Consumer.Index.Load()
	if alone {
		return released || of == layout.ModeTransfer // what is left in a transfer was its producer's
	}
	allowed := layout.Replaceable(h.ConsumerStats.Replace.Load())
	if allowed == layout.NotReplaceable || allowed == layout.ReplaceableByMode && by != of {
		return false
	}
	ended := layout.State(h.ProducerStats.State.Load()) == layout.StateClosed
	return released && !(ended && endpoint.EndUnreported(h))
}
