package pressure

import (
	"time"

	"sluice/layout"
)

// Trend judges a series of snapshots of one segment, without flicker: a verdict is on the last
// second, needs less evidence to stay than to be reached, and is replaced only by one that is
// confirmed. A Trend also keeps what two snapshots do not show, for the verdict on the whole time.
// The zero value has seen nothing. One goroutine at a time may use it.
type Trend struct {
	window        []Snapshot    // at least lookBack long, oldest first
	seconds       []Snapshot    // one a second for growthBack, oldest first
	verdict       Verdict       // the current one
	since         uint64        // when it was reached, monotonic ns
	candidate     Kind          // the kind that may replace it
	confirmations int           // how often the candidate was reached in a row
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
	// minConfirmations is how often in a row another verdict has to be reached to replace the
	// current one.
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
// long each side slept in it does not tell which is slower. The verdict is then that before it, on
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
	switch {
	case v.Kind == t.verdict.Kind && (v.Grows || !t.verdict.Grows):
		t.verdict, t.confirmations = v, 0
	case t.accepts(v.Kind):
		if v.Kind != t.verdict.Kind {
			t.since = s.At
		}
		t.verdict, t.confirmations = v, 0
	}
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

// accepts reports whether a verdict of kind k replaces the current one, which is of another kind or
// has a forecast that k's has not. A verdict on which side is slower needs confirmation; one on
// whether a side is there does not, nor does the end of a queue's growth.
func (t *Trend) accepts(k Kind) bool {
	if k != t.candidate {
		t.candidate, t.confirmations = k, 0
	}
	t.confirmations++
	return t.confirmations >= minConfirmations || !k.ofDegree() || !t.verdict.Kind.ofDegree() || t.verdict.Kind == Growing
}
