package pressure

import (
	"time"

	"sluice/layout"
)

// Trend follows a segment from snapshot to snapshot and comes to a verdict that
// does not flicker: it looks back on the last second, takes less to stay with a
// verdict than to come to it, and comes to it only when it is confirmed. It also
// remembers what two snapshots do not show, for the verdict on the whole time. The
// zero value has seen nothing. One goroutine at a time may use it.
type Trend struct {
	window        []Snapshot    // at least lookBack long, oldest first
	seconds       []Snapshot    // one a second for growthBack, oldest first
	verdict       Verdict       // that stands
	since         uint64        // when it came, monotonic ns
	candidate     Kind          // what it may be about to become
	confirmations int           // how often in a row
	longest       time.Duration // between two snapshots
	gapMarked     bool          // before the next snapshot
	whole         whole
}

const (
	// lookBack is the time that a verdict looks back on.
	lookBack = time.Second
	// growthBack is how far growth looks back, so that its pace is not that of one
	// message or batch.
	growthBack = 5 * time.Second
	// minConfirmations is how often in a row another verdict has to come to be believed.
	minConfirmations = 2
	// minGap is by how much a step is longer than those before it when whoever takes
	// the snapshots did not run in between.
	minGap = 2 * time.Second
)

// nearlyAll is d for a ticker that may be early by a little.
func nearlyAll(d time.Duration) time.Duration { return d / 10 * 9 }

// Add takes the next snapshot, in the order of their times, and returns what
// happened in the last second, or since the first snapshot, and the verdict on it.
//
// A pause in the snapshots, when their taker was stopped, is not looked back on: what each
// side waited for in it says nothing of who is slower.
func (t *Trend) Add(s Snapshot) (Interval, Verdict) {
	if n := len(t.window); n > 0 {
		step := time.Duration(s.At - t.window[n-1].At)
		if t.gapMarked || t.longest > 0 && step > 2*t.longest+minGap {
			t.gapMarked = false
			t.window, t.seconds, t.confirmations = append(t.window[:0], s), append(t.seconds[:0], s), 0
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
	t.window = append(t.window[:0], t.window[drop:]...)
	i, long := Between(&t.window[0], &s), Between(t.growthStart(&s), &s)
	for at := range t.window {
		i.Stopped = i.Stopped || t.window[at].notRunning(layout.Producer) != "" || t.window[at].notRunning(layout.Consumer) != ""
	}
	if n := len(t.window); n > 1 && i.Elapsed > 0 && t.window[n-2].Depth() > s.Depth() {
		long.DepthGrowth = 0 // it has grown, and does not any more
	}
	v := judge(t.verdict.Kind, &i, &long, &s)
	if i.Elapsed == 0 { // the first look: nothing to stay with
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

// MarkGap says that the taker of the snapshots knows that it did not run for some of the time
// between the last one and the next. Without it, Add sees only long pauses.
func (t *Trend) MarkGap() { t.gapMarked = true }

// growthStart keeps s for later, and returns the snapshot that growth looks back to.
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
	// Since the queue was at its lowest: what was before that does not belong to this
	// growth. A tenth of it more or less is chance.
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

// accepts reports whether another verdict than the one that stands is to take its
// place, or the same one without its forecast. Who is slower is a matter of degree;
// whether somebody is there is not. That a queue grows is not believed any longer than
// it does.
func (t *Trend) accepts(k Kind) bool {
	if k != t.candidate {
		t.candidate, t.confirmations = k, 0
	}
	t.confirmations++
	return t.confirmations >= minConfirmations || !k.ofDegree() || !t.verdict.Kind.ofDegree() || t.verdict.Kind == Growing
}
