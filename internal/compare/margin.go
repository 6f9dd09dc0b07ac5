package compare

import "time"

// The margins of what is said. A figure of one run differs from that of the next, so a sentence
// that compares figures is made only where the difference is well beyond that, or well within.
// Between the two nothing is said, or that it cannot be told.

// noise is by how much times may differ because of the machine, which lets a process wait now and
// then. A quantile such as p99 of a load under which nothing else waits is made of such waits, and
// may be ten times as long in the next run: there medians and means are compared.
const noise = 5 * time.Millisecond

// alike reports whether times are the same as far as one run can tell.
func alike(ds ...time.Duration) bool {
	low, high := ds[0], ds[0]
	for _, d := range ds[1:] {
		low, high = min(low, d), max(high, d)
	}
	return high-low <= high/6+noise
}

// longer reports whether a is longer than b beyond doubt.
func longer(a, b time.Duration) bool { return a-b > a/3+2*noise }

// muchMore reports whether a is more than b beyond doubt: processor times and rates.
func muchMore(a, b float64) bool { return a > 1.5*b }

// aboutSame reports whether a and b cannot be told apart.
func aboutSame(a, b float64) bool { return a < 1.15*b && b < 1.15*a }

const (
	// behind: a consumer that takes less than this share of what is due is the slower side.
	behind = 0.9
	// idle: a consumer that sleeps for at least this share of the time is not.
	idle = 0.05
	// rarely: a producer that is blocked for less than this share of the time has room.
	rarely = 0.01
	// often: one that is blocked for more has not.
	often = 0.05
	// mostly: more of the response than this was spent in one place.
	mostly = 0.6
	// quick: a mean response below this is no wait worth a word.
	quick = noise
	// disturbed: other work that kept so many processors busy has changed the figures.
	disturbed = 0.1
	// busy: this share of the processors is as good as all.
	busy = 0.9
)
