package report

import (
	"os"
	"time"

	"sluice/internal/monotonic"
	"sluice/pressure"
)

// A process that was stopped (SIGSTOP) and continued takes no snapshots in between. The last report
// says so, and the verdict does not count that time for a slow side.

// sameMoment is how far apart signals and snapshots may be that have one cause.
const sameMoment = 100 * time.Millisecond

// continuedLately reports whether SIGCONT says that this process was stopped. When a snapshot is
// overdue, the signal may arrive a little later than the timer that fired with it.
func continuedLately(d driven, continued <-chan os.Signal) bool {
	if overdue(d) {
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
func onContinue(d driven) (stopped bool) {
	all, now := d.reporters(), monotonic.Now()
	lasted := make([]pressure.Bounds, len(all))
	for i, r := range all {
		lasted[i] = r.stopUntil(now)
	}
	if !overdue(d) {
		select {
		case <-d.asked():
			return false
		case <-time.After(sameMoment):
		}
	}
	for i, r := range all {
		r.observeAfterStop()
		r.noteStop(lasted[i])
	}
	return true
}

// overdue reports whether the last snapshot of one of the segments is older than the interval
// between snapshots.
func overdue(d driven) bool {
	for _, r := range d.reporters() {
		if r.overdue() {
			return true
		}
	}
	return false
}

// stopUntil returns how long a stop has lasted that ended at now, ns of the monotonic clock: within
// the distance of two snapshots, because only they show that this process ran. It is 0 before
// Attach.
func (r *Reporter) stopUntil(now uint64) pressure.Bounds {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.attached {
		return pressure.Bounds{}
	}
	began := r.last.At
	if time.Duration(now-began) <= sameMoment { // that snapshot may be the first after the stop
		if began = r.gap[0]; time.Duration(now-r.gap[1]) > sameMoment {
			return pressure.Bounds{Max: sameMoment} // between snapshots that were not even that far apart
		}
	}
	most := time.Duration(now - began)
	return pressure.Bounds{Min: max(0, most-r.usualGap()-sameMoment), Max: most}
}

// overdue reports whether the last snapshot is older than the interval between snapshots.
func (r *Reporter) overdue() bool { return r.sinceLast() > r.usualGap()+sameMoment }

// usualGap returns the time between two snapshots while this process runs, at most.
func (r *Reporter) usualGap() time.Duration {
	most := max(r.observeEvery, observeInterval)
	if r.opt.Interval > 0 {
		return min(most, r.opt.Interval)
	}
	return most
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

// noteStop records that this process was stopped for that long, and continued a moment ago.
func (r *Reporter) noteStop(lasted pressure.Bounds) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.segment != nil && !r.stopping() {
		r.wholeTrend.AddStopped(r.opt.Role, lasted)
	}
}
