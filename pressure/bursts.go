package pressure

import (
	"fmt"
	"time"

	"sluice/layout"
)

const (
	// worthMentioning is the share of the time from which on a full queue is a burst
	// and not a chance.
	worthMentioning = 0.01
	// stallWait is the length of a wait from which on it is the consumer's pause and
	// not a producer in step with it, and longStall the time that pauses may take
	// together to be told from overload.
	stallWait = 50 * time.Millisecond
	longStall = 5 * time.Second
	// spare is the part of the producer's pace that the consumer has to have to spare.
	spare = 0.1
)

// bursts says for how long a ring was full although its consumer is the faster side:
// then more room would have spared the producer those waits. It is "" where there were
// none, or where every ring fills.
func bursts(i *Interval, s *Snapshot) string {
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	if s.Geometry.Mode != layout.ModeRing || i.Stopped || i.Elapsed < tooShort || i.ProducerWaits == 0 || p < worthMentioning || c < noticeable {
		return ""
	}
	// While neither waits the producer sends at n/(1-p), the consumer takes at n/(1-c).
	if 1-c > (1-spare)*(1-p) {
		return ""
	}
	would := ""
	if n, ok := missed(i, s); ok {
		would = fmt.Sprintf("about %s would have gone in; ", more(n))
	}
	return fmt.Sprintf("the ring was full for %v of %v; %sthe consumer slept %.0f %% of the time", about(partOf(p, i.Elapsed)), about(i.Elapsed), would, 100*c)
}

// missed returns how many messages had no room in a ring while its consumer paused: as
// many as the producer sends in that time when it does not wait. That is not known
// where the waits were short, because their sum says nothing of the room that one burst
// needs, where they were most of the time, and where the consumer has no time to spare:
// there every ring fills.
func missed(i *Interval, s *Snapshot) (n uint64, ok bool) {
	p, c := i.ProducerBlocked, i.ConsumerBlocked
	blocked := partOf(p, i.Elapsed)
	if s.Geometry.Mode != layout.ModeRing || i.ProducerWaits == 0 || p > 0.5 || 1-c > (1-spare)*(1-p) ||
		blocked > longStall || blocked/time.Duration(i.ProducerWaits) < stallWait {
		return 0, false
	}
	return uint64(float64(i.Produced)/(1-p)*p + 0.5), true
}
