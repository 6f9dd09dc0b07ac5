// Package report prints the metrics of a side: at an interval while it runs, and once at the end.
// Text is for people, JSON (one object a line) for programs. What the metrics are stands in package
// metrics.
package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/verdict"
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
	Journal  bool      // Out is the systemd journal, which adds the time and shows single lines

	// Stopping is closed when the side is asked to stop; nil = never.
	Stopping <-chan struct{}

	// Total is the size in bytes of an input whose size is known, else -1. If it is known, a
	// terminal gets a progress bar.
	Total int64
}

// Reporter prints reports from a goroutine of its own. Its methods are for the
// goroutine that called Start.
type Reporter struct {
	opt    Options
	began  time.Time
	waited time.Duration // from began until there was a segment
	print  printer
	bar    *bar // nil without a terminal or a known size
	silent bool // printing has timed out: print no more

	stoppedLately bool // this process was stopped (SIGSTOP) since the last report

	lastOutputWait time.Duration // outputWaited at the last report

	discarded *int64 // for the final report
	following bool   // likewise: the side goes on in another segment
	end       string // likewise; "" = what the segment says

	mu          sync.Mutex
	segment     *shm.Segment // nil before Attach and after Detach
	own         func() uint64
	outputWait  func() time.Duration // nil = the output never waits
	truncated   bool                 // the segment could not be read the last time
	removed     bool                 // the segment had been removed at Detach
	first, last pressure.Snapshot
	attached    bool           // first and last are valid
	reportTrend pressure.Trend // of the snapshots at reports
	wholeTrend  pressure.Trend // of all snapshots, for the final report
	gap         [2]uint64      // the times of the last two snapshots that were more than sameMoment apart
	idle        bool           // nothing has happened between the last two

	observeEvery time.Duration     // until the next snapshot for the final report; 0 = observeInterval
	before       pressure.Snapshot // at the last report

	stop, stopped chan struct{}
}

// printer formats one report.
type printer interface {
	print(out io.Writer, r *Report) error
}

// Start begins to report. The metrics are unknown until Attach.
func Start(opt Options) *Reporter {
	r := newReporter(opt)
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

// newReporter returns a Reporter that prints nothing by itself.
func newReporter(opt Options) *Reporter {
	return &Reporter{opt: opt, began: time.Now(), stop: make(chan struct{}), stopped: make(chan struct{})}
}

// Attach starts to read the metrics of seg. own returns how many messages this side has produced or
// consumed since then, as it counts them itself: for the final report if seg cannot be read any
// more (it was truncated). The error is shm.ErrTruncated.
func (r *Reporter) Attach(seg *shm.Segment, own func() uint64) error {
	s, err := pressure.Observe(seg)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.segment, r.own, r.first, r.last, r.attached = seg, own, s, s, true
	r.waited = time.Since(r.began)
	r.reportTrend.Add(s)
	r.wholeTrend.Add(s)
	return nil
}

// OutputWait sets how a consumer's reports learn how long it has waited for the reader of its
// output so far.
func (r *Reporter) OutputWait(waited func() time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outputWait = waited
}

// outputWaited returns that time, 0 without one.
func (r *Reporter) outputWaited() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outputWait == nil {
		return 0
	}
	return r.outputWait()
}

// Detach reads the metrics for the last time. The segment may be left after it.
func (r *Reporter) Detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observeLocked()
	r.removed = r.segment != nil && errors.Is(r.segment.Check(), shm.ErrRemoved)
	r.segment = nil
}

// observeLocked takes the next snapshot. r.mu is held.
func (r *Reporter) observeLocked() {
	r.idle = false
	if r.segment == nil {
		return
	}
	s, err := pressure.Observe(r.segment)
	if r.truncated = err != nil; !r.truncated {
		r.idle = idle(&r.last, &s)
		if time.Duration(s.At-r.last.At) > sameMoment {
			r.gap = [2]uint64{r.last.At, s.At}
		}
		s.CarryHighWater(&r.last)
		r.last = s
		r.wholeTrend.Add(s)
	}
}

// withTimeout runs print, and waits for it for writeTimeout at most; after that nothing is printed
// any more.
func (r *Reporter) withTimeout(print func()) {
	done := make(chan struct{})
	go func() { print(); close(done) }()
	if !inTime(done) {
		r.silent = true
	}
}

// inTime reports whether done is closed within writeTimeout. It waits in steps, so that a time in
// which this process gets no processor, or is stopped, is not taken for one in which nobody reads.
func inTime(done <-chan struct{}) bool {
	const steps = 10
	for range steps {
		select {
		case <-done:
			return true
		case <-time.After(writeTimeout / steps):
		}
	}
	return false
}

// Discarded sets for the final report how many bytes had been read from the input and not sent
// when the producer was stopped.
func (r *Reporter) Discarded(n int64) { r.discarded = &n }

// EndedAs sets for the final report of a consumer how the stream ended: nil when it was complete.
func (r *Reporter) EndedAs(incomplete error) { r.end = endOf(incomplete) }

// EndingAs is EndedAs for a producer.
func (r *Reporter) EndingAs(end layout.End) { r.end = end.String() }

// endOf returns the end of a stream as a word.
func endOf(incomplete error) string {
	if end := endpoint.EndOf(incomplete); end != layout.EndNone {
		return end.String()
	}
	return "incomplete"
}

// streamEnd returns how the last producer of a segment ended its stream; "" when it has not.
func streamEnd(s *pressure.Snapshot) string {
	if p := &s.Producer; !p.Alive && p.State == layout.StateClosed && p.End != layout.EndNone {
		return p.End.String()
	}
	return ""
}

// Finish prints the final report, and returns when that is printed or has timed out.
func (r *Reporter) Finish() {
	close(r.stop)
	if !inTime(r.stopped) { // standard error is a pipe that nobody reads
		r.silent = true
		r.Detach()
		return
	}
	r.Detach()
	r.withTimeout(func() {
		r.bar.finish(r.producedBytes())
		r.emit(r.first, true)
	})
	if r.discarded != nil && *r.discarded > 0 {
		r.note("%s", discardedText(*r.discarded))
	}
}

// observeInterval is the time between two snapshots for the final report, however far apart the
// reports are. While the pair is idle it doubles up to maxObserveInterval: each snapshot wakes a
// process that has nothing else to do.
const (
	observeInterval    = time.Second
	maxObserveInterval = 4 * time.Second
)

// writeTimeout is how long a side waits until a line is written.
const writeTimeout = time.Second

// run reports until Finish.
func (r *Reporter) run() {
	defer close(r.stopped)
	run(r.opt.Interval, r.bar != nil, r.stop, nil, r)
}

func (r *Reporter) reporters() []*Reporter { return []*Reporter{r} }

func (r *Reporter) asked() <-chan struct{} { return r.opt.Stopping }

func (r *Reporter) flush() {}

func (r *Reporter) redraw() {
	r.observe()
	r.bar.set(r.producedBytes())
}

// report prints the report of an interval. stopped says that this process was stopped in it.
func (r *Reporter) report(stopped bool) bool {
	r.observe()
	if _, _, attached := r.snapshots(); !attached && r.opt.Role == layout.Producer {
		return false // it has made the segment, and is about to attach
	}
	r.bar.clear()
	r.markStopped(stopped)
	r.before = r.emit(r.before, false)
	return true
}

// markStopped sets for the next report whether this process was stopped since the last one.
func (r *Reporter) markStopped(stopped bool) {
	if r.stoppedLately = stopped; stopped {
		r.reportTrend.MarkGap()
	}
}

// stopping reports whether the side was asked to stop.
func (r *Reporter) stopping() bool {
	select {
	case <-r.opt.Stopping:
		return true
	default:
		return false
	}
}

// observe takes the next snapshot.
func (r *Reporter) observe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observeLocked()
}

// untilNext returns the time until the next snapshot for the final report.
func (r *Reporter) untilNext() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.observeEvery = min(2*max(r.observeEvery, observeInterval), maxObserveInterval); !r.idle {
		r.observeEvery = observeInterval
	}
	return r.observeEvery
}

// idle reports whether nothing happened between two snapshots of an empty queue, whose sides both
// run: one that is stopped or gone is looked at more often, to say for how long.
func idle(before, after *pressure.Snapshot) bool {
	idles := func(before, after *pressure.RoleStats) bool {
		return after.Alive && after.Running && before.Generation == after.Generation && before.Waits == after.Waits && before.State == after.State
	}
	return after.Depth() == 0 && before.Offered() == after.Offered() && before.Consumed == after.Consumed && before.Refused == after.Refused &&
		idles(&before.Producer, &after.Producer) && idles(&before.Consumer, &after.Consumer)
}

// snapshots returns the first and the last snapshot; ok is false before Attach.
func (r *Reporter) snapshots() (first, last pressure.Snapshot, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first, r.last, r.attached
}

// producedBytes returns the payload bytes that were produced since Attach.
func (r *Reporter) producedBytes() uint64 {
	first, last, _ := r.snapshots()
	return last.ProducedBytes - first.ProducedBytes
}

// emit prints a report as make returns it.
func (r *Reporter) emit(before pressure.Snapshot, final bool) (now pressure.Snapshot) {
	rep, now := r.make(before, final)
	r.print.print(r.opt.Out, &rep) // an error has nowhere to go but stderr itself
	return now
}

// make returns a report on the time since the snapshot before, which is the zero value if there
// was none at the last report, and the snapshot that the report is of.
func (r *Reporter) make(before pressure.Snapshot, final bool) (rep Report, now pressure.Snapshot) {
	began, now, known := r.snapshots()
	if before.At == 0 {
		before = began
	}
	rep = Report{Sample: metrics.Sample{
		Role: r.opt.Role.String(), Name: r.opt.Name, Mode: r.opt.Mode, Elapsed: time.Since(r.began), Final: final,
	}}
	switch {
	case !known:
		rep.setVerdict(pressure.Verdict{Kind: pressure.NoProducer})
		rep.Reason, rep.Advice = "the segment does not exist yet", "start a producer with the same --name"
		if r.opt.Role == layout.Producer { // a bridge: it makes the segment when it knows the near one
			rep.Advice = "start the bridge at the other side: bridge out, on the ring there, with the same --stream"
		}
	case r.unreadable():
		rep.Mode, rep.Reason = now.Geometry.Mode, "the segment was truncated: nothing of it can be read any more"
		if final {
			rep.Own = &metrics.OwnCount{Run: r.own()}
			rep.Own.Total = rep.Own.Run + r.ownCount(&r.first)
		}
	default:
		rep.Mode = now.Geometry.Mode
		rep.Now, rep.Interval, rep.End = &now, pressure.Between(&before, &now), streamEnd(&now)
		rep.Run = new(pressure.Between(&began, &now))
		rep.Waited = r.waited
		if final {
			r.judgeRun(&rep)
		} else {
			r.judgeInterval(&rep)
		}
	}
	waited := r.outputWaited()
	since := waited - r.lastOutputWait
	if r.lastOutputWait = waited; final {
		since = waited
	}
	rep.addOutputWait(since)
	if final {
		rep.Discarded, rep.End = r.discarded, cmp.Or(r.end, rep.End)
		if r.opt.Role == layout.Producer && rep.End == layout.EndFailed.String() {
			rep.Advice = "" // the error's hint says what to do
		}
	}
	return rep, now
}

// judgeInterval sets the verdict on the time since the last report.
func (r *Reporter) judgeInterval(rep *Report) {
	_, v := r.reportTrend.Add(*rep.Now)
	if !r.stoppedLately {
		rep.setVerdict(v)
		return
	}
	// The verdict that stood before is not about this time.
	rep.setVerdict(pressure.Verdict{Kind: pressure.Stopped, Cause: pressure.CauseSignal})
	rep.Reason = fmt.Sprintf("the %v was stopped for a part of this time (SIGSTOP or Ctrl-Z), and runs again", r.opt.Role)
	rep.Advice = ""
}

// judgeRun sets the verdict on the whole run, which ends now.
func (r *Reporter) judgeRun(rep *Report) {
	var v pressure.Verdict
	rep.Interval, v = r.wholeTrend.Whole(r.opt.Role)
	rep.setVerdict(v)
	if r.opt.Role == layout.Consumer && v.Kind == pressure.NoProducer {
		rep.Advice = "" // neither to start one nor to stop the consumer, which has ended
	}
	if r.removed && !r.following {
		rep.addReason("the segment was removed: no other process can find it any more")
		rep.Advice = "start both sides again"
	}
}

// unreadable reports whether the segment could not be read the last time.
func (r *Reporter) unreadable() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.truncated
}

// ownCount returns how many messages this side had produced or consumed.
func (r *Reporter) ownCount(s *pressure.Snapshot) uint64 {
	if r.opt.Role == layout.Producer {
		return s.Produced
	}
	return s.Consumed
}

// addOutputWait adds to a verdict on a slow consumer that it was waiting for the reader of its
// output for most of the interval. waited is how long.
func (r *Report) addOutputWait(waited time.Duration) {
	switch r.Verdict.Kind {
	case pressure.ConsumerBound, pressure.Growing, pressure.Stalled:
	default:
		return
	}
	if share := waited.Seconds() / r.Interval.Elapsed.Seconds(); share > 0.5 {
		r.addReason("for %s of the time the consumer waited for the reader of its output", format.Percent(min(share, 1)))
		r.Advice = "speed up what reads the consumer's output"
	}
}

// Report is one report of one side, or of an observer. In the last one of a side Interval is the
// time since the side started; before, since the last report.
type Report struct {
	metrics.Sample

	Waited time.Duration // the part of Elapsed before there was a segment; the metrics are of the rest

	onlyFigures bool // Reason has only figures that every line shows anyway
}

// setVerdict sets the verdict, with reason and advice in words.
func (r *Report) setVerdict(v pressure.Verdict) {
	r.Verdict, r.Reason, r.Advice, r.onlyFigures = v, verdict.Reason(&v), verdict.Advice(&v), verdict.RepeatsFigures(&v)
}

// addReason adds a clause to Reason.
func (r *Report) addReason(format string, args ...any) {
	r.Reason, r.onlyFigures = r.Reason+"; "+fmt.Sprintf(format, args...), false
}
