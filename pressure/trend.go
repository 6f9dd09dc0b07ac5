package pressure

import (
	"time"

	"sluice/layout"
)

// Trend judges a series of snapshots of one segment, without flicker: a verdict is on the last
// second, needs less evidence to stay than to be reached, and needs confirmation where the evidence
// is that of a moment. It never contradicts the figures of the Interval beside it. A Trend also
// keeps what two snapshots do not show, for the verdict on the whole time. The zero value has seen
// nothing. One goroutine at a time may use it.
type Trend struct {
	window        []Snapshot    // at least lookBack long, oldest first
	seconds       []Snapshot    // one a second for growthBack, oldest first
	verdict       Verdict       // the current one
	since         uint64        // when it was reached, monotonic ns
	confirmations int           // how often in a row the depth of the queue was the evidence
	smoothed      bool          // the last verdict has the forecast of the one before
	longest       time.Duration // the longest time between two snapshots
	gapMarked     bool          // MarkGap was called since the last snapshot
	whole         whole
}

const (
	// lookBack is the time that a verdict is on.
	lookBack = time.Second
	// growthBack is the time that a forecast is made from, so that its rate is not that of
	// one message or batch.
	growthBack = 5 * time.Second
	// minConfirmations is how often in a row the depth of the queue has to be the evidence.
	minConfirmations = 2
	// minGap is by how much the time between two snapshots is longer than before when the
	// process that takes them did not run in between.
	minGap = 2 * time.Second
)

// nearlyAll returns d less a tenth, for a ticker that may be a little early.
func nearlyAll(d time.Duration) time.Duration { return d / 10 * 9 }

// Add takes the next snapshot, in the order of their times, and returns what happened in the last
// second, or since the first snapshot, and the verdict on it.
//
// A gap in the snapshots, in which the process that takes them was stopped, is not judged: how
// long each side waited in it does not tell which is slower. The verdict is then that before it, on
// an Interval of no length.
func (t *Trend) Add(s Snapshot) (Interval, Verdict) {
	if n := len(t.window); n > 0 {
		step := time.Duration(s.At - t.window[n-1].At)
		if t.gapMarked || t.longest > 0 && step > 2*t.longest+minGap {
			t.gapMarked = false
			t.window, t.seconds, t.confirmations = []Snapshot{s}, append(t.seconds[:0], s), 0
			t.whole.skip(&s)
			return Between(&s, &s), t.verdict
		}
		t.longest = max(t.longest, step)
	}
	t.window = append(t.window, s)
	drop := 0
	for drop+2 < len(t.window) && time.Duration(s.At-t.window[drop+1].At) >= nearlyAll(lookBack) {
		drop++
	}
	t.window = t.window[drop:] // not moved: a snapshot has thousands of bytes, and append will move it now and then
	i, long := Between(&t.window[0], &s), countsBetween(t.growthStart(&s), &s)
	for at := range t.window {
		i.Stopped = i.Stopped || t.window[at].notRunning(layout.Producer) != "" || t.window[at].notRunning(layout.Consumer) != ""
	}
	if n := len(t.window); n > 1 && i.Elapsed > 0 && t.window[n-2].Depth() > s.Depth() {
		long.DepthGrowth = 0 // it has stopped growing
	}
	v := judge(t.verdict.Kind, &i, &long, &s)
	if i.Elapsed == 0 { // the first snapshot: there is no verdict to keep
		t.whole.begin(&s)
		return i, v
	}
	if v = t.settle(v, &i, &long, &s); v.Kind != t.verdict.Kind {
		t.since = s.At
	}
	t.verdict = v
	t.verdict.Held = time.Duration(s.At - t.since)
	t.whole.add(&s, &t.verdict)
	return i, t.verdict
}

// MarkGap tells the Trend that the process which takes the snapshots did not run for a part of the
// time between the last one and the next. Add notices only long gaps by itself.
func (t *Trend) MarkGap() { t.gapMarked = true }

// growthStart keeps s for later, and returns the snapshot from which on growth is measured.
func (t *Trend) growthStart(s *Snapshot) *Snapshot {
	n := len(t.seconds)
	if n == 0 || time.Duration(s.At-t.seconds[n-1].At) >= nearlyAll(lookBack) {
		t.seconds = append(t.seconds, *s)
	}
	drop := 0
	for drop+1 < len(t.seconds) && time.Duration(s.At-t.seconds[drop+1].At) >= nearlyAll(growthBack) {
		drop++
	}
	t.seconds = append(t.seconds[:0], t.seconds[drop:]...)
	// From when the queue was shortest: what was before that does not belong to this growth.
	// A tenth of it more or less is chance.
	lowest := s.Depth()
	for at := range t.seconds {
		lowest = min(lowest, t.seconds[at].Depth())
	}
	from := &t.window[0]
	for at := range t.seconds {
		then := &t.seconds[at]
		if then.At < t.window[0].At && then.Depth() <= lowest+(s.Depth()-lowest)/10 {
			from = then
		}
	}
	return from
}

// settle returns the verdict on the last second, which was judged to be v. That rests on the
// figures of this second alone, and agrees with them. But evidence from how deep the queue is may
// be that of a moment: it has to be there twice in a row before it counts for more than the waits.
func (t *Trend) settle(v Verdict, i, long *Interval, s *Snapshot) Verdict {
	if !v.Cause.fromDepth() {
		t.confirmations = 0
	} else if t.confirmations++; t.confirmations < minConfirmations && t.verdict.Kind.ofDegree() && !t.verdict.Cause.fromDepth() {
		v = judgeGrown(forecast{}, t.verdict.Kind, i, s, false)
	}
	if v.Grows || v.Kind != t.verdict.Kind || !v.Kind.ofDegree() || !t.verdict.Grows || t.smoothed {
		t.smoothed = false
		return v
	}
	// Messages that come in batches make it deeper in every other second only.
	g := forecastGrowth(long, long, s)
	v.Grows, v.FullIn, t.smoothed = g.growing, g.fullIn, g.growing
	return v
}
