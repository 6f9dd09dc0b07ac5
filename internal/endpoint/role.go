package endpoint

import (
	"os"

	"sluice/internal/procinfo"
	"sluice/layout"
)

// Holder identifies the process that holds a role, for people.
type Holder struct {
	PID, UID                    uint64
	PIDNamespace, TimeNamespace uint64 // inode numbers; 0 = unknown
}

// Self returns this process as a Holder.
func Self() Holder {
	return Holder{
		PID: uint64(os.Getpid()), UID: uint64(os.Geteuid()),
		PIDNamespace: procinfo.PIDNamespace(), TimeNamespace: procinfo.TimeNamespace(),
	}
}

// TakeOver closes the accounts of the last holder of a role and opens those of the next one.
// It returns the ns that all holders before have been blocked. A predecessor that was killed
// asleep left its sleep open: it ends as BlockedAt defines. clock is the monotonic clock, ns;
// keep says that the segment stays when both sides are done.
//
// Begin follows, when the role is ready to be used.
func TakeOver(s *layout.RoleStats, by Holder, clock func() uint64, keep bool) (blocked uint64) {
	blocked = settle(s, clock)
	s.PID.Store(by.PID)
	s.UID.Store(by.UID)
	s.PIDNamespace.Store(by.PIDNamespace)
	s.TimeNamespace.Store(by.TimeNamespace)
	s.Keep.Store(0)
	if keep {
		s.Keep.Store(1)
	}
	s.Replace.Store(0)
	now := clock()
	s.StartedAt.Store(now)
	s.ProgressAt.Store(now)
	return blocked
}

// Begin declares the role usable and numbers its holder. Generation is stored last: see
// EndWatch.Due and Published.
func Begin(s *layout.RoleStats) {
	s.End.Store(uint64(layout.EndNone))
	s.State.Store(uint64(layout.StateRunning))
	s.Generation.Store(s.Generation.LoadRelaxed() + 1)
}

// BeginStream begins the next stream of a producer that has ended one and stays. A schedule goes
// on.
func BeginStream(h *layout.Header) {
	own, schedule := &h.ProducerStats, &h.Schedule
	inForce := schedule.Holder.Load() == own.Generation.Load()
	SettleSchedule(h)
	Begin(own)
	if inForce { // until here what is unsent stays as it was settled
		schedule.Holder.Store(own.Generation.Load())
	}
}

// SetEnd records how the stream of a producer has ended; Close follows. published says that
// some of the stream could be taken: an empty one cannot be incomplete.
func SetEnd(s *layout.RoleStats, end layout.End, published bool) {
	if layout.End(s.End.LoadRelaxed()) == end {
		return
	}
	if end > layout.EndComplete && published {
		s.Incomplete.Store(s.Incomplete.LoadRelaxed() + 1)
	}
	s.End.Store(uint64(end))
}

// Close records that the holder has left in good order, at the time now of the monotonic
// clock, ns.
func Close(s *layout.RoleStats, now uint64) {
	s.ProgressAt.Store(now)
	s.State.Store(uint64(layout.StateClosed))
}

// Died reports whether the last holder of a role has not left in good order. It means
// something only when nobody holds the role now.
func Died(s *layout.RoleStats) bool {
	state := layout.State(s.State.Load())
	return state != layout.StateNone && state != layout.StateClosed
}
