package report

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// driven is what run drives: a Reporter, or a Many. All methods are called on run's goroutine.
type driven interface {
	observe()                 // takes the next snapshots
	untilNext() time.Duration // until the next ones for the final report
	redraw()                  // draws the progress bar
	report(stopped bool) bool // prints the report of an interval; false if it is too early for one
	flush()                   // is called after a value of notes

	reporters() []*Reporter // those of the segments
	asked() <-chan struct{} // closed when the side is asked to stop
}

// run drives d until stop is closed. Without an interval it takes only snapshots.
func run(interval time.Duration, bar bool, stop, notes <-chan struct{}, d driven) {
	var reports, redraws <-chan time.Time
	if interval > 0 {
		t := time.NewTicker(interval)
		defer t.Stop()
		reports = t.C
	}
	if bar {
		t := time.NewTicker(barInterval)
		defer t.Stop()
		redraws = t.C
	}
	var observations <-chan time.Time
	var observe *time.Ticker
	if interval <= 0 || interval > observeInterval {
		observe = time.NewTicker(observeInterval)
		defer observe.Stop()
		observations = observe.C
	}
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	stopped := false // this process was, since the last report
	// afterStop comes before the next snapshot, which is the first after a stop.
	afterStop := func() {
		if continuedLately(d, continued) && onContinue(d) {
			stopped = true
		}
	}
	for {
		select {
		case <-stop:
			afterStop()
			return
		case <-continued:
			if onContinue(d) {
				stopped = true
			}
		case <-observations:
			afterStop()
			d.observe()
			observe.Reset(d.untilNext())
		case <-redraws:
			afterStop()
			d.redraw()
		case <-reports:
			afterStop()
			if d.report(stopped) {
				stopped = false
			}
		case <-notes:
			d.flush()
		}
	}
}
