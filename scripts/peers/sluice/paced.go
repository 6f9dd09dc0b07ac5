package main

import (
	"slices"

	"sluice/internal/monotonic"
)

// pace sends n messages, each when it is due, which is its content. The sleeps are those of the
// C programs: this measures the ring and not the timers of Go.
func (j job) pace(there sender, n uint64) error {
	due := monotonic.Now()
	for range n {
		for monotonic.Now() < due { // sleeps until then, unless it is late
			sleepUntil(due)
		}
		if err := there.sendOne(due); err != nil {
			return err
		}
		due += j.period
	}
	return nil
}

// timeAll reads a message for each response, the ns since it was due. It returns the sum of the
// words as if they had the numbers of the messages.
func (j job) timeAll(there receiver, responses []uint64) (sum uint64, err error) {
	first := uint64(0)
	for i := range responses {
		words, err := there.readOne()
		if err != nil {
			return 0, err
		}
		due := words / j.words()
		responses[i] = monotonic.Now() - due
		if i == 0 {
			first = due
		}
		sum += (words - j.words()*first) / j.period
	}
	return sum, nil
}

// percentiles returns the median and the 99th percentile, us.
func percentiles(responses []uint64) (half, most float64) {
	slices.Sort(responses)
	n := len(responses)
	return float64(responses[n/2]) / 1e3, float64(responses[n*99/100]) / 1e3
}
