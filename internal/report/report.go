// Package report prints a side's metrics: at an interval while it runs, and
// once at the end. Text is for people, JSON (one object a line) for programs.
package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Options says what to print and where.
type Options struct {
	Role     layout.Role
	Name     string // of the segment
	Mode     layout.Mode
	Interval time.Duration
	JSON     bool
	Out      io.Writer // standard error
	Journal  bool      // Out is the systemd journal: it knows the time, and shows lines one by one

	// Total is the bytes of an input whose size is known, else -1. With it,
	// a terminal gets a progress bar.
	Total int64
}

// Reporter prints reports from a goroutine of its own. Its methods are for the
// goroutine that called Start.
type Reporter struct {
	opt   Options
	began time.Time
	print printer
	bar   *bar // nil where nobody would see it
	mute  bool // nothing printed is taken any more

	unsent *int64 // for the final report

	mu          sync.Mutex
	segment     *shm.Segment // nil before Attach and after Detach
	first, last pressure.Snapshot
	attached    bool // first and last are valid
	trend       pressure.Trend

	stop, stopped chan struct{}
}

// printer formats one report.
type printer interface {
	print(out io.Writer, r *Report) error
}

// Start begins to report. The metrics are unknown until Attach.
func Start(opt Options) *Reporter {
	r := &Reporter{opt: opt, began: time.Now(), stop: make(chan struct{}), stopped: make(chan struct{})}
	r.print = &text{journal: opt.Journal}
	if opt.JSON {
		r.print = jsonLines{}
	}
	if !opt.JSON {
		r.bar = newBar(opt.Out, opt.Total)
	}
	go r.run()
	return r
}

// Attach starts to read the metrics of seg.
func (r *Reporter) Attach(seg *shm.Segment) error {
	s, err := pressure.Observe(seg)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.segment, r.first, r.last, r.attached = seg, s, s, true
	r.trend.Add(s)
	return nil
}

// Detach reads the metrics for the last time; after it the segment may be
// left.
func (r *Reporter) Detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.segment == nil {
		return
	}
	if s, err := pressure.Observe(r.segment); err == nil {
		r.last = s
	}
	r.segment = nil
}

// Resumed says that n messages of an earlier producer were still unread.
func (r *Reporter) Resumed(n uint64) {
	if n > 0 {
		r.note("going on after %s left unread in %s; --fresh discards them", messages(n), shm.Path(r.opt.Name))
	}
}

// note prints a line for people; programs find the same in the figures.
func (r *Reporter) note(format string, args ...any) {
	if !r.opt.JSON && !r.mute {
		r.patiently(func() {
			fmt.Fprintf(r.opt.Out, "%v: %s\n", r.opt.Role, fmt.Sprintf(format, args...))
		})
	}
}

// patiently waits for print, but not for ever, and then prints no more.
func (r *Reporter) patiently(print func()) {
	done := make(chan struct{})
	go func() { print(); close(done) }()
	select {
	case <-done:
	case <-time.After(stuck):
		r.mute = true
	}
}

// Verified says that n messages were checked, and all was well.
func (r *Reporter) Verified(n uint64) {
	r.note("verified %s: none missing, repeated or damaged", messages(n))
}

// Unsent tells the final report that n bytes of the input were read, and given to nobody when the
// producer was stopped.
func (r *Reporter) Unsent(n int64) { r.unsent = &n }

// Delivering says that n messages are still in the producer's queue, which ends
// when they are taken.
func (r *Reporter) Delivering(n uint64) {
	if n > 0 {
		r.note("no more is sent; delivering %s that wait (stop it again to lose them)", messages(n))
	}
}

// Left says what the last side has left behind: n unread messages, or the end
// of a stream of none that nobody has come for.
func (r *Reporter) Left(n uint64, end bool) {
	switch {
	case n > 0:
		r.note("%s unread in %s, kept for the next consumer", messages(n), shm.Path(r.opt.Name))
	case end && r.last.Consumer.Holders == 0:
		r.note("the input was empty; %s is kept to tell the next consumer", shm.Path(r.opt.Name))
	}
}

// Finish ends the reports with the final one.
func (r *Reporter) Finish() {
	close(r.stop)
	select {
	case <-r.stopped:
	case <-time.After(stuck): // standard error is a pipe that nobody reads
		r.mute = true
		r.Detach()
		return
	}
	r.Detach()
	r.patiently(func() {
		r.bar.finish(r.done())
		r.emit(r.first, true)
	})
	if r.unsent != nil && *r.unsent > 0 {
		r.note("stopped with %d bytes read from the input and not sent; they are lost", *r.unsent)
	}
}

// stuck is how long a side waits for a line to be taken.
const stuck = time.Second

func (r *Reporter) run() {
	defer close(r.stopped)
	var reports, redraws <-chan time.Time
	if r.opt.Interval > 0 {
		t := time.NewTicker(r.opt.Interval)
		defer t.Stop()
		reports = t.C
	}
	if r.bar != nil {
		t := time.NewTicker(barInterval)
		defer t.Stop()
		redraws = t.C
	}
	var before pressure.Snapshot
	known := false // before is valid
	for {
		select {
		case <-r.stop:
			return
		case <-redraws:
			r.observe()
			r.bar.set(r.done())
		case <-reports:
			r.observe()
			first, now, ok := r.seen()
			if !known {
				before = first
			}
			r.bar.clear()
			r.emit(before, false)
			before, known = now, ok
		}
	}
}

// observe refreshes last.
func (r *Reporter) observe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.segment != nil {
		if s, err := pressure.Observe(r.segment); err == nil {
			r.last = s
		}
	}
}

// seen returns the first and the last snapshot, if there are any.
func (r *Reporter) seen() (first, last pressure.Snapshot, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first, r.last, r.attached
}

// done returns the payload bytes that were produced since Attach.
func (r *Reporter) done() uint64 {
	first, last, _ := r.seen()
	return last.ProducedBytes - first.ProducedBytes
}

// emit prints a report on what happened since before.
func (r *Reporter) emit(before pressure.Snapshot, final bool) {
	_, now, known := r.seen()
	rep := Report{Role: r.opt.Role.String(), Name: r.opt.Name, Mode: r.opt.Mode, Elapsed: time.Since(r.began), Final: final}
	if known {
		rep.Mode = now.Geometry.Mode
		rep.Now, rep.Interval = &now, pressure.Between(&before, &now)
		if final {
			rep.Verdict = pressure.Judge(&rep.Interval, r.leaving(now))
		} else {
			_, rep.Verdict = r.trend.Add(now)
		}
	} else {
		rep.Verdict = pressure.Verdict{Kind: pressure.NoProducer, Why: "the segment does not exist yet", Advice: "start a producer with the same --name"}
	}
	if final {
		rep.Unsent = r.unsent
	}
	r.print.print(r.opt.Out, &rep) // with stderr gone there is nobody to tell
}

// leaving is the last snapshot as it is judged: the producer of a transfer takes its
// queue along, so that grows no more and waits for nobody.
func (r *Reporter) leaving(now pressure.Snapshot) *pressure.Snapshot {
	if r.opt.Role == layout.Producer && now.Geometry.Mode == layout.ModeTransfer && now.Produced > 0 {
		now.Producer.Alive = false
	}
	return &now
}

// Report is one report of one side, or of an observer.
type Report struct {
	Role     string // producer, consumer, observer
	Name     string
	Mode     layout.Mode
	Elapsed  time.Duration // since the side started, or the observer
	Final    bool
	Now      *pressure.Snapshot // nil while there is no segment
	Interval pressure.Interval  // since the last report; in the final one, since the start
	Verdict  pressure.Verdict
	Unsent   *int64 // bytes read from the input and lost, nil when there is no input
}
