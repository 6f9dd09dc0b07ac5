package layout

// What a holder of a role notes of its own waits. Only that holder may call
// these.

// Sleeps notes that the side begins to wait now, and that it had waited total ns
// before. Until Wakes, Blocked is negative: the time goes on by itself.
func (s *Side) Sleeps(total, now uint64) {
	s.Blocked.Relaxed(total - now)
	s.ProgressAt.Relaxed(now)
	s.Waits.Add(1)
	s.State.Relaxed(uint64(StateBlocked))
}

// Wakes notes that the wait is over now, and that it makes total ns with those
// before.
func (s *Side) Wakes(total, now uint64) {
	s.Blocked.Relaxed(total)
	s.ProgressAt.Relaxed(now)
	s.State.Relaxed(uint64(StateRunning))
}

// TakeOver closes the books of the last holder and begins those of a new one,
// and returns the ns that all before it have waited. A predecessor that was
// killed asleep left its waiting open: it ends with the last progress that it
// noted, and what came after was not waiting but death.
//
// State is the caller's to set when the role is ready, and Holders after it.
func (s *Side) TakeOver(pid, now uint64, keep bool) (blocked uint64) {
	blocked = s.Blocked.Load()
	if int64(blocked) < 0 {
		blocked = uint64(max(0, int64(blocked+s.ProgressAt.Load())))
	}
	s.Blocked.Store(blocked)
	s.PID.Store(pid)
	s.Keep.Store(0)
	if keep {
		s.Keep.Store(1)
	}
	s.StartedAt.Store(now)
	s.ProgressAt.Store(now)
	return blocked
}
