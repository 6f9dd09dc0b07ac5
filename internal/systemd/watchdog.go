package systemd

import (
	"time"

	"sluice/internal/liveness"
	"sluice/layout"
	"sluice/shm"
)

// watchdog decides when systemd may be told that the side is well. Not a timer, but
// what the side's loop leaves behind says so, and it comes by at least once a second
// however slow its peer is:
//
//   - working, it moves its count (or drops, and counts that);
//   - asleep for its peer, it looks around and notes the time in ProgressAt;
//   - in a wait that is meant (--work, --rate, its input, its output), it beats.
//
// A loop that hangs does none of these, whatever its process's other threads do. So
// a --work of an hour is fine with a watchdog of ten seconds.
type watchdog struct {
	limit time.Duration // 0 = there is none
	last  evidence
	moved bool      // since it was fed last
	at    time.Time // when it was fed last
}

// evidence is what the loop of a side has left behind. It stays the same only while
// the loop does not come round.
type evidence struct{ count, dropped, progressAt, beats uint64 }

// share is how many times in its limit the watchdog is looked after.
const share = 4

// interval returns how often to call fed, at least as often as every.
func (w *watchdog) interval(every time.Duration) time.Duration {
	if w.limit > 0 {
		return max(min(every, w.limit/share), time.Millisecond)
	}
	return every
}

// fed reports whether to feed the watchdog now: the loop has come by since the last
// time, which was a while ago.
func (w *watchdog) fed(seg *shm.Segment, role layout.Role, now time.Time) bool {
	if w.limit == 0 {
		return false
	}
	if e, err := gather(seg, role); err == nil && e != w.last {
		w.last, w.moved = e, true
	}
	if !w.moved || now.Sub(w.at) < w.limit/share {
		return false
	}
	w.moved, w.at = false, now
	return true
}

func gather(seg *shm.Segment, role layout.Role) (e evidence, err error) {
	err = shm.Guard(func() error {
		h := seg.Header()
		side := h.Stats(role)
		e = evidence{h.Cursor(role).Count.Load(), side.Dropped.Load(), side.ProgressAt.Load(), liveness.Beats()}
		return nil
	})
	return e, err
}
