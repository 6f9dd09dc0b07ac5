package pressure

import (
	"time"
)

const (
	// minBurst is the share of the time from which on a full ring is a burst and not chance.
	minBurst = 0.01
	// minPause is the shortest wait that shows a pause of the consumer, and not a producer that
	// waits for each message; maxPauses is the most that pauses take together: more is
	// overload.
	minPause  = 50 * time.Millisecond
	maxPauses = 5 * time.Second
	// minSpare is the part of the producer's rate by which the consumer has to be faster.
	minSpare = 0.1
)

// bursts reports whether a bounded queue was full for a part of the time although its consumer is
// the faster side: then more capacity would have spared the producer those waits.
func bursts(i *Interval, s *Snapshot) bool {
	return !s.elastic() && !i.Stopped && i.Elapsed >= minInterval && i.ProducerWaits > 0 &&
		i.ProducerBlocked >= minBurst && i.ConsumerBlocked >= Noticeable && i.consumerFaster()
}

// consumerFaster reports whether the consumer is the faster side by minSpare. While it does not
// wait, the producer sends at n/(1-p) and the consumer receives at n/(1-c).
func (i *Interval) consumerFaster() bool {
	return 1-i.ConsumerBlocked <= (1-minSpare)*(1-i.ProducerBlocked)
}

// missed returns how many messages had no room in a bounded queue while its consumer paused: as
// many as the producer sends in that time when it does not wait. That is not known when the waits
// were short, because their sum does not tell how much room one burst needs; when they were most of
// the time; when the consumer is not the faster side, because then every queue fills; and there are
// none when messages are due by a schedule, because then they were sent later.
func missed(i *Interval, s *Snapshot) (n uint64, ok bool) {
	p := i.ProducerBlocked
	if s.elastic() || i.Scheduled || i.ProducerWaits == 0 || p > 0.5 || !i.consumerFaster() {
		return 0, false
	}
	blocked := time.Duration(p * float64(i.Elapsed))
	if blocked > maxPauses || blocked/time.Duration(i.ProducerWaits) < minPause {
		return 0, false
	}
	return uint64(float64(i.Produced)/(1-p)*p + 0.5), true
}
