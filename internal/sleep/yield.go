package sleep

import (
	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
)

// A yielder gives the processor up to other threads that want it, sched_yield(2), before a sleep.
// Where the peer, or others that it waits for too, share this processor, they run now, and have
// often done what is waited for when this thread runs again: that costs one switch, where a sleep
// costs a switch, a wake-up by the peer and, mostly, a barrier. Aeron's BackoffIdleStrategy yields
// between spinning and sleeping too.
//
// A yield is worth nothing where nobody else wants the processor, and it may last long where
// somebody does who has nothing to do with this: a thread that yields waits for its turn, one
// that is woken from a sleep mostly runs at once. So a yield is left out in some of the next waits
// when the last one was in vain, and in many when it has lasted for long.
type yielder struct {
	skip, skipped uint32 // waits without a yield: still to come, and the last number of them
}

const (
	switched    = 3_000     // ns: a yield that takes longer has let others run. One alone takes 0.2 to 1 us
	maxYield    = 2_000_000 // ns: a thread with other work mostly takes longer, a tick of the scheduler, 1 to 4 ms
	maxSkipVain = 31
	maxSkipLong = 1023
)

// due reports whether this wait is to yield. It is called once for each.
func (y *yielder) due() bool {
	if y.skip > 0 {
		y.skip--
		return false
	}
	return true
}

// until yields once, and reports whether c is ready, and since when, monotonic ns, others had the
// processor; 0 if none did.
func (y *yielder) until(c Condition) (ready bool, since uint64, err error) {
	began := monotonic.Now()
	unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // an error, of a filter, is a yield in vain
	took := monotonic.Now() - began
	ready, err = c.Ready()
	y.learn(took, ready)
	if took > switched {
		since = began
	}
	return ready, since, err
}

// learn says how many waits are without a yield after one that took so long, ns. One that was in
// time does not make up for its length: a thread that was woken would have run earlier.
func (y *yielder) learn(took uint64, ready bool) {
	switch {
	case took > maxYield:
		y.skipped = min(2*y.skipped+1, maxSkipLong)
	case ready:
		y.skipped = 0
	case y.skipped < maxSkipVain:
		y.skipped = 2*y.skipped + 1
	}
	y.skip = y.skipped
}
