package endpoint

import (
	"time"

	"sluice/layout"
)

// The accounts that a holder of a role keeps of its own waits. Only that holder may call
// these functions, except BlockedAt.
//
// A sleep in progress counts as blocked time up to now, but at most up to BlockedUntil, a
// second after the side last showed that it runs: a side that was stopped or killed in its
// sleep stops counting. The rule is the same for every reader and for the successor, and no
// reading is smaller than an earlier one, whoever took it. Readers add their own clock to
// what they find, so the total that ends a sleep has to cover every clock that was added
// before it: see settle.

const (
	// maxUnseen is how long a sleep counts after the side last showed that it runs, ns. A
	// sleeping side shows it at least that often.
	maxUnseen = 1_000_000_000
	// skew is how far apart the clocks of two processes may be, and how much later than the
	// program says a clock may be read, ns. A sleep counts from this much after its
	// beginning to this much after its end.
	skew = 1000
	// settling in BlockedUntil says that the sleep is ending and its total follows.
	settling = 0
)

// BeginSleep records that the side begins to wait at now and has waited total ns before.
// Until EndSleep, Blocked is negative, and the blocked time grows without further stores.
func BeginSleep(s *layout.RoleStats, total, now uint64) {
	openSleep(s, total, now)
	s.Waits.AddRelaxed(1)
	s.State.StoreRelaxed(uint64(layout.StateBlocked))
}

// openSleep stores Blocked last: the other two mean nothing until it is negative. It leaves
// a nanosecond out, so that no two sleeps have the same value.
func openSleep(s *layout.RoleStats, total, now uint64) {
	since := now + skew + 1
	s.ProgressAt.StoreRelaxed(since)
	s.BlockedUntil.StoreRelaxed(now + maxUnseen)
	s.Blocked.StoreRelease(total - since)
}

// ContinueSleep records that the side ran at now and goes on sleeping. If it could not for
// longer than a sleep counts, because it was stopped, the time in between is not blocked
// time. Outside a sleep it only records progress.
func ContinueSleep(s *layout.RoleStats, now uint64) {
	blocked, until := s.Blocked.LoadRelaxed(), s.BlockedUntil.LoadRelaxed()
	switch {
	case int64(blocked) >= 0:
		s.ProgressAt.StoreRelaxed(now)
	case now <= until:
		s.BlockedUntil.StoreRelaxed(now + maxUnseen)
		s.ProgressAt.StoreRelaxed(max(now, s.ProgressAt.LoadRelaxed())) // never before the sleep's beginning
	default:
		s.Blocked.StoreRelease(blocked + until)
		openSleep(s, blocked+until, now)
	}
}

// EndSleep records that the wait is over, and returns the ns waited including those before
// it. clock is the monotonic clock, ns.
func EndSleep(s *layout.RoleStats, clock func() uint64) (total uint64) {
	total = settle(s, clock)
	s.ProgressAt.StoreRelaxed(clock())
	s.State.StoreRelaxed(uint64(layout.StateRunning))
	return total
}

// CountWait records a wait that is over and began at since, although no sleep was recorded. It
// returns what EndSleep does.
func CountWait(s *layout.RoleStats, total, since uint64, clock func() uint64) uint64 {
	BeginSleep(s, total, since)
	for seen := since + maxUnseen; seen < clock(); seen += maxUnseen {
		ContinueSleep(s, seen) // this side did run
	}
	return EndSleep(s, clock)
}

// settle ends a sleep and returns the total. Once settling is visible, no reader adds
// its clock any more, and the clock that is read after that is later than all that
// were added.
func settle(s *layout.RoleStats, clock func() uint64) (total uint64) {
	blocked := s.Blocked.Load()
	if int64(blocked) >= 0 {
		return blocked
	}
	until := s.BlockedUntil.Load()
	s.BlockedUntil.Store(settling) // a full fence
	end := clock() + skew
	if until != settling { // else a predecessor was killed right here
		end = min(end, until)
	}
	total = uint64(max(0, int64(blocked+end)))
	s.Blocked.Store(total)
	return total
}

// BlockedAt returns how long the side has been blocked, ns, at the time now of the
// monotonic clock, which has to be read before the call. Anybody may call it.
func BlockedAt(s *layout.RoleStats, now uint64) uint64 {
	// A side that is settling needs some nanoseconds, or some milliseconds when it
	// loses its processor just there. One that was killed there counts on until it
	// has a successor; that one, and a hostile peer, may keep this loop for some 50 ms.
	const spins, maxTries = 100, 600
	for try := 0; ; try++ {
		blocked := s.Blocked.Load()
		since, until := s.ProgressAt.Load(), s.BlockedUntil.Load()
		// Unchanged, so both belong to the same sleep.
		changed := s.Blocked.Load() != blocked
		switch {
		case int64(blocked) >= 0:
			return blocked
		case (changed || until == settling) && try < maxTries:
			if try > spins {
				time.Sleep(100 * time.Microsecond)
			}
			continue
		case until == settling:
			until = now
		}
		// A sleep may have begun after now was read: it counts from its beginning on.
		return uint64(max(0, int64(blocked+max(since, min(now, until)))))
	}
}
