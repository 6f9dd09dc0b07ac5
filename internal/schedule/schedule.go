// Package schedule says when the messages of a load are due. It reads no clock: times are offsets
// from the start of the load.
package schedule

import (
	"math/rand/v2"
	"time"
)

// Arrivals is how the bursts of a load are spread over time.
type Arrivals int

// The arrivals.
const (
	Spaced  Arrivals = iota // at equal distances
	Poisson                 // at distances that are exponentially distributed and independent
)

// Spec describes a load. It is fixed at the start: what becomes of the messages has no influence
// on when the next ones are due. Equal Specs describe equal schedules.
type Spec struct {
	Rate     float64 // messages a second on average, > 0
	Burst    int     // messages that are due at the same time; 0 means 1
	Arrivals Arrivals
	Seed     uint64 // of the random distances; Spaced has none
}

// Never is the due time of messages that are due later than any clock of this machine will show:
// 73 years. Sums of two due times do not overflow.
const Never = time.Duration(1 << 61)

// Times iterates over the due times of a Spec. The first message is due at 0. Next and CountBy
// move the same position, so a Times is used for one of them: to send, or to count.
type Times struct {
	due   time.Duration // of the present burst
	left  int           // messages of that burst which Next has not returned
	burst int
	gap   float64 // ns between two bursts on average

	bursts uint64 // bursts before the present one
	random *rand.Rand
	sum    float64 // with random: due without its rounding
}

// Times returns the due times from the start on.
func (s Spec) Times() *Times {
	burst := max(1, s.Burst)
	t := &Times{burst: burst, left: burst, gap: min(float64(burst)*1e9/s.Rate, float64(Never))}
	if s.Arrivals == Poisson {
		t.random = rand.New(rand.NewPCG(s.Seed, 0))
	}
	return t
}

// Next returns when the next message is due. Successive results never fall.
func (t *Times) Next() time.Duration {
	due := t.due
	if t.left--; t.left == 0 {
		t.nextBurst()
	}
	return due
}

func (t *Times) nextBurst() {
	t.left = t.burst
	t.bursts++
	if t.random != nil {
		t.sum += t.random.ExpFloat64() * t.gap
		t.due = round(t.sum)
		return
	}
	t.due = t.spaced(t.bursts)
}

// spaced returns when burst k is due, counted from 0. It is computed from k: a sum of rounded
// gaps would drift.
func (t *Times) spaced(k uint64) time.Duration { return round(float64(k) * t.gap) }

func round(ns float64) time.Duration {
	if ns < float64(Never) {
		return time.Duration(ns)
	}
	return Never
}

// CountBy returns how many messages of the load are due at the time at or earlier. The time must
// not be smaller than in an earlier call. With Poisson it takes a few ns for each burst since then.
func (t *Times) CountBy(at time.Duration) uint64 {
	if at >= Never {
		at = Never - 1
	}
	if t.random == nil && t.due <= at {
		// The division may be off by a rounding; the loop below is not.
		k := max(t.bursts, uint64(max(0, float64(at)/t.gap-2)))
		t.bursts, t.due = k, t.spaced(k)
	}
	for t.due <= at {
		t.nextBurst()
	}
	return t.bursts * uint64(t.burst)
}
