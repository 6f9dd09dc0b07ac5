package systemd

import (
	"time"

	"sluice/internal/liveness"
	"sluice/layout"
	"sluice/shm"
)

// watchdog decides when to send WATCHDOG=1. It depends on the progress of the side's loop, not on
// a timer. The loop leaves a trace at least once a second, however slow its peer is:
//
//   - while it moves messages, its count (or its count of dropped messages) changes;
//   - while it sleeps until its peer acts, it wakes up and stores the time in ProgressAt;
//   - in an intended wait (--work, --rate, its input, its output) it calls liveness.Beat.
//
// A loop that hangs does none of these, whatever the other threads of its process do. And a
// --work of an hour works with a watchdog of ten seconds.
type watchdog struct {
	limit      time.Duration // WatchdogSec=; 0 = no watchdog
	last       progress
	moved      bool      // last changed since the last notification
	notifiedAt time.Time // time of the last notification
}

// progress is the trace of a side's loop. It is unchanged only while the loop does not run.
type progress struct{ count, dropped, progressAt, beats uint64 }

// pollsPerLimit is how often progress is checked within the limit.
const pollsPerLimit = 4

// interval returns how often to call due, at least as often as every.
func (w *watchdog) interval(every time.Duration) time.Duration {
	if w.limit > 0 {
		return max(min(every, w.limit/pollsPerLimit), time.Millisecond)
	}
	return every
}

// due reports whether to send WATCHDOG=1 now: there was progress since the last notification, which
// is at least limit/pollsPerLimit ago.
func (w *watchdog) due(now progress, at time.Time) bool {
	if w.limit == 0 {
		return false
	}
	if now != w.last {
		w.last, w.moved = now, true
	}
	if !w.moved || at.Sub(w.notifiedAt) < w.limit/pollsPerLimit {
		return false
	}
	w.moved, w.notifiedAt = false, at
	return true
}

// progressIn returns the progress of a side in all of its segments, and how many these are.
func progressIn(each func(see func(*shm.Segment)), role layout.Role) (all progress, segments int) {
	all.beats = liveness.Beats()
	each(func(seg *shm.Segment) {
		segments++
		_ = shm.Guard(func() error { // nothing of a truncated one counts
			h := seg.Header()
			side := h.Stats(role)
			all.count += h.Count(role)
			all.dropped += side.Dropped.Load()
			all.progressAt += side.ProgressAt.Load()
			return nil
		})
	})
	return all, segments
}
