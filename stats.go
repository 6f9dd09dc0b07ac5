package sluice

import (
	"sluice/pressure"
	"sluice/shm"
)

// Stats reads the counters of both sides of the segment that an end is attached to: what was
// produced and consumed, how deep the queue is, how long either side was blocked. Any goroutine may
// call it, at any time. [pressure.Trend] comes to a verdict on a series of them.
//
// Errors: [ErrClosed] once the end is closed, a plain value, and [ErrTruncated].
func Stats(end interface{ Segment() *shm.Segment }) (pressure.Snapshot, error) {
	return pressure.Observe(end.Segment())
}
