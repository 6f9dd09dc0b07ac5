package pressure

import "time"

// Trend follows a segment from snapshot to snapshot and comes to a verdict that
// does not flicker: it looks back on the last second, takes less to stay with a
// verdict than to come to it, and comes to it only when it is confirmed. The zero
// value has seen nothing. One goroutine at a time may use it.
type Trend struct {
	window  []Snapshot // at least lookBack long, oldest first
	verdict Verdict    // that stands
	since   uint64     // when it came, monotonic ns
	next    Kind       // what it may be about to become
	votes   int        // how often in a row
}

const (
	// lookBack is the time that a verdict looks back on.
	lookBack = time.Second
	// confirmed is how often in a row another verdict has to come to be believed.
	confirmed = 2
)

// Add takes the next snapshot, in the order of their times, and returns what
// happened in the last second, or since the first snapshot, and the verdict on it.
func (t *Trend) Add(s Snapshot) (Interval, Verdict) {
	t.window = append(t.window, s)
	drop := 0
	for drop+2 < len(t.window) && time.Duration(s.At-t.window[drop+1].At) >= lookBack {
		drop++
	}
	t.window = append(t.window[:0], t.window[drop:]...)
	i := Between(&t.window[0], &s)
	v := judgeAfter(t.verdict.Kind, &i, &s)
	if i.Elapsed == 0 { // the first look: nothing to stay with
		return i, v
	}
	switch {
	case v.Kind == t.verdict.Kind:
		t.verdict, t.votes = v, 0
	case t.believes(v.Kind):
		t.verdict, t.votes, t.since = v, 0, s.At
	}
	t.verdict.Held = time.Duration(s.At - t.since)
	return i, t.verdict
}

// believes reports whether another verdict than the one that stands is to take its
// place. Who is slower is a matter of degree; whether somebody is there is not.
func (t *Trend) believes(k Kind) bool {
	if k != t.next {
		t.next, t.votes = k, 0
	}
	t.votes++
	return t.votes >= confirmed || !k.ofDegree() || !t.verdict.Kind.ofDegree()
}

func (k Kind) ofDegree() bool {
	return k == ConsumerBound || k == ProducerBound || k == Balanced || k == Growing
}
