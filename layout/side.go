package layout

import "time"

// What a holder of a role notes of its own waits. Only that holder may call these,
// but for BlockedAt.
//
// A sleep that goes on counts as blocked up to now, but at most to BlockedUntil,
// which is a second after the side has last shown that it lives: so a side that was
// stopped or killed in its sleep does not go on counting. The rule is the same for
// every reader and for the successor, and no reading is smaller than an earlier one,
// whoever took it. Readers add their own clock to what they find, so the total that
// ends a sleep has to cover every clock that was added before it: see settle.

const (
	// noticed is how long a sleep counts after the last look around, ns. A
	// sleeping side looks around at least that often.
	noticed = 1_000_000_000
	// skew is how far the clocks of two processes may be apart, and a clock may be
	// read later than the program says, ns. A sleep counts from this much after its
	// beginning to this much after its end.
	skew = 1000
	// settling in BlockedUntil says that the sleep ends now, and its total follows.
	settling = 0
)

// Sleeps notes that the side begins to wait now, and that it had waited total ns
// before. Until Wakes, Blocked is negative: the time goes on by itself.
func (s *RoleStats) Sleeps(total, now uint64) {
	s.begin(total, now)
	s.Waits.AddRelaxed(1)
	s.State.StoreRelaxed(uint64(StateBlocked))
}

// begin opens a sleep. Blocked goes last: as long as it is not negative, nobody uses
// the other two. A nanosecond is left out, so that no two sleeps have the same value.
func (s *RoleStats) begin(total, now uint64) {
	since := now + skew + 1
	s.ProgressAt.StoreRelaxed(since)
	s.BlockedUntil.StoreRelaxed(now + noticed)
	s.Blocked.StoreRelease(total - since)
}

// StillAsleep notes that the side has looked around in its sleep. If it could not for
// longer than that counts, because it was stopped, the time in between is not blocked
// time.
func (s *RoleStats) StillAsleep(now uint64) {
	blocked, until := s.Blocked.LoadRelaxed(), s.BlockedUntil.LoadRelaxed()
	switch {
	case int64(blocked) >= 0:
		s.ProgressAt.StoreRelaxed(now)
	case now <= until:
		s.BlockedUntil.StoreRelaxed(now + noticed)
		s.ProgressAt.StoreRelaxed(max(now, s.ProgressAt.LoadRelaxed())) // never before the sleep's beginning
	default:
		s.Blocked.StoreRelease(blocked + until)
		s.begin(blocked+until, now)
	}
}

// Wakes notes that the wait is over, and returns the ns waited with those before.
// clock is the monotonic clock.
func (s *RoleStats) Wakes(clock func() uint64) (total uint64) {
	total = s.settle(clock)
	s.ProgressAt.StoreRelaxed(clock())
	s.State.StoreRelaxed(uint64(StateRunning))
	return total
}

// settle ends a sleep and returns the total. Once settling is visible, no reader adds
// its clock any more, and the clock that is read after that is later than all that
// were added.
func (s *RoleStats) settle(clock func() uint64) (total uint64) {
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

// BlockedAt returns the time that the side has been blocked, ns: at the time now of
// the monotonic clock, which has to be read before the call. It may be called by
// anybody.
func (s *RoleStats) BlockedAt(now uint64) uint64 {
	// A side that is settling needs some nanoseconds, or some milliseconds when it
	// loses its processor just there. One that was killed there counts on until it
	// has a successor; that one, and a hostile peer, may keep this loop for some 50 ms.
	const spins, patience = 100, 600
	for try := 0; ; try++ {
		blocked := s.Blocked.Load()
		since, until := s.ProgressAt.Load(), s.BlockedUntil.Load()
		// Unchanged, so both belong to the same sleep.
		changed := s.Blocked.Load() != blocked
		switch {
		case int64(blocked) >= 0:
			return blocked
		case (changed || until == settling) && try < patience:
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

// Holder is who holds a role, for people.
type Holder struct {
	PID, UID                    uint64
	PIDNamespace, TimeNamespace uint64 // inode numbers; 0 = unknown
}

// TakeOver closes the books of the last holder and begins those of a new one, and
// returns the ns that all before it have waited. A predecessor that was killed
// asleep left its waiting open: it ends as Blocked says.
//
// State is the caller's to set when the role is ready, and Generation after it.
func (s *RoleStats) TakeOver(by Holder, clock func() uint64, keep bool) (blocked uint64) {
	blocked = s.settle(clock)
	s.PID.Store(by.PID)
	s.UID.Store(by.UID)
	s.PIDNamespace.Store(by.PIDNamespace)
	s.TimeNamespace.Store(by.TimeNamespace)
	s.Keep.Store(0)
	if keep {
		s.Keep.Store(1)
	}
	now := clock()
	s.StartedAt.Store(now)
	s.ProgressAt.Store(now)
	return blocked
}

// Begin says that the role can be used from now on, and numbers its holder. Generation goes
// last: EndWatch.Due.
func (s *RoleStats) Begin() {
	s.End.Store(uint64(EndNone))
	s.State.Store(uint64(StateRunning))
	s.Generation.Store(s.Generation.LoadRelaxed() + 1)
}

// Ends says how the stream of a producer has ended, before Close. published tells that
// some of it is there to take: else there is nothing that could be incomplete.
func (s *RoleStats) Ends(end End, published bool) {
	if End(s.End.LoadRelaxed()) == end {
		return
	}
	if (end == EndStopped || end == EndFailed) && published {
		s.Incomplete.Store(s.Incomplete.LoadRelaxed() + 1)
	}
	s.End.Store(uint64(end))
}

// Died reports whether the last holder has not left in good order, when nobody holds the
// role now.
func (s *RoleStats) Died() bool {
	state := State(s.State.Load())
	return state != StateNone && state != StateClosed
}

// NotedFraming returns how a producer says that it has cut its input, FramingNone for what
// is no framing.
func (s *RoleStats) NotedFraming() Framing {
	if f := Framing(s.Framing.Load()); f <= FramingRaw {
		return f
	}
	return FramingNone
}

// Close says that the holder has left in good order.
func (s *RoleStats) Close(now uint64) {
	s.ProgressAt.Store(now)
	s.State.Store(uint64(StateClosed))
}
