package metrics

import (
	"fmt"

	"sluice/layout"
	"sluice/pressure"
)

// Holder says who holds a role, or how its last holder ended: pid 123; pid 123, stopped; ended,
// stopped early, failed, died, none; or that this cannot be known. Of a bridge it says so:
// bridge, pid 123; and one that has left before the end of its stream is a bridge that was
// stopped.
func Holder(s *pressure.RoleStats) string {
	if !s.Bridge.Present() {
		return holds(s)
	}
	switch {
	case !s.Alive && s.Bridge.State == pressure.BridgeStopped:
		return "bridge, was stopped"
	case !s.Alive && s.Bridge.State == pressure.BridgeFailed:
		return "bridge, failed"
	}
	return "bridge, " + holds(s)
}

func holds(s *pressure.RoleStats) string {
	switch {
	case s.Alive && s.AliveUnknown:
		return fmt.Sprintf("pid %d, alive or not (the kernel does not tell)", s.PID)
	case s.Alive:
		who := fmt.Sprintf("pid %d", s.PID)
		if s.OtherPIDNamespace {
			who = fmt.Sprintf("process %d of another pid namespace", s.PID)
		}
		if s.Stopped {
			who += ", stopped"
		}
		return who
	case s.Generation == 0:
		return "none"
	case s.State != layout.StateClosed:
		return "died"
	case s.End == layout.EndStopped:
		return "stopped early"
	case s.End == layout.EndFailed:
		return "failed"
	}
	return "ended"
}
