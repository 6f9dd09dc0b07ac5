package report

import (
	"os"
	"time"

	"sluice/internal/monotonic"
)

// A process that was stopped (SIGSTOP) and continued takes no snapshots in between. The last report
// says so, and the verdict does not count that time for a slow side.

// sameMoment is how far apart signals and snapshots may be that have one cause.
const sameMoment = 100 * time.Millisecond

// continuedLately reports whether SIGCONT says that this process was stopped. When a snapshot is
// overdue, the signal may arrive a little later than the timer that fired with it.
func (r *Reporter) continuedLately(continued <-chan os.Signal) bool {
	if r.overdue() {
		select {
		case <-continued:
			return true
		case <-time.After(sameMoment):
		}
	}
	select {
	case <-continued:
		return true
	default:
		return false
	}
}

// onContinue records a stop when SIGCONT means that this process was stopped (SIGSTOP), and
// reports whether it does. systemd and timeout(1) send it right after SIGTERM to whatever they
// end: then only an overdue snapshot means so.
func (r *Reporter) onContinue() (stopped bool) {
	if r.overdue() {
		r.observeAfterStop()
		r.noteStop()
		return true
	}
	// A snapshot of this moment is the first after the stop, and has its gap; the one below would
	// have the gap of the wait here.
	seen := r.sinceLast() <= sameMoment
	select {
	case <-r.opt.Stopping:
		return false
	case <-time.After(sameMoment):
	}
	if seen {
		r.noteStop()
		r.observeAfterStop()
	} else {
		r.observeAfterStop()
		r.noteStop()
	}
	return true
}

// overdue reports whether the last snapshot is older than the interval between snapshots.
func (r *Reporter) overdue() bool {
	usual := observeInterval
	if r.opt.Interval > 0 {
		usual = min(usual, r.opt.Interval)
	}
	return r.sinceLast() > usual+sameMoment
}

// sinceLast returns how old the last snapshot is; 0 before Attach.
func (r *Reporter) sinceLast() time.Duration {
	_, last, attached := r.snapshots()
	if !attached {
		return 0
	}
	return time.Duration(monotonic.Now() - last.At)
}

// observeAfterStop takes the first snapshot after a time in which this process was stopped.
func (r *Reporter) observeAfterStop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wholeTrend.MarkGap()
	r.observeLocked()
}

// noteStop records that this process was stopped since the snapshot before the last one, and
// continued a moment ago.
func (r *Reporter) noteStop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.segment != nil && !r.stopping() {
		r.wholeTrend.AddStopped(r.opt.Role, max(r.gap-observeInterval/2, sameMoment)) // within half of observeInterval
	}
}
