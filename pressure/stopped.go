package pressure

import (
	"fmt"
	"time"

	"sluice/layout"
)

// quietAfter is how long a side that sleeps may show no progress. It looks around at
// least once a second, so after that it does not run.
const quietAfter = 2 * time.Second

// stopped is the verdict on a side that does not run although it lives: what it says
// of itself, running or blocked, is not true any more.
func stopped(i *Interval, after *Snapshot) (Verdict, bool) {
	for _, r := range []layout.Role{layout.Consumer, layout.Producer} {
		side := after.side(r)
		why := after.notRunning(r)
		if why == "" && i.sleepsInVain(after, r) {
			full := map[layout.Role]string{layout.Consumer: "full", layout.Producer: "empty"}[r]
			why = fmt.Sprintf("is not running although the queue is %s; it was probably stopped (SIGSTOP)", full)
		}
		if why == "" {
			continue
		}
		v := Verdict{Kind: Stopped, Why: fmt.Sprintf("the %v%s %s", r, pid(side), why), Advice: "let it go on: kill -CONT"}
		if after.LimitReached() {
			v.Why += fmt.Sprintf("; the limit of %s was reached", size(after.Limit))
		}
		if side.PID > 0 && !side.Foreign {
			v.Advice += fmt.Sprintf(" %d", side.PID)
		}
		return v, true
	}
	return Verdict{}, false
}

// sleepsInVain reports whether a side sleeps although what it sleeps for was there for
// longer than it takes to wake up. This shows sooner than its progress does.
func (i *Interval) sleepsInVain(after *Snapshot, r layout.Role) bool {
	if !after.sleeps(r) || i.Elapsed <= arriving {
		return false
	}
	if r == layout.Consumer {
		return i.ConsumerStayed && i.Consumed == 0 && after.Fill() >= nearFull && i.Waiting > 0
	}
	return after.Geometry.Mode == layout.ModeRing && i.Produced == 0 && after.Depth() == 0 && i.Waiting == 0
}

// sleeps reports whether a side lives and says that it waits, and nothing more is known.
func (s *Snapshot) sleeps(r layout.Role) bool {
	side := s.side(r)
	return side.Alive && !side.Runs && (side.State == layout.StateBlocked || side.State == layout.StateAlone)
}

// notRunning says how it shows that a live side does not run; "" when it does not show.
func (s *Snapshot) notRunning(r layout.Role) string {
	side := s.side(r)
	switch idle := s.age(side); {
	case !side.Alive:
		return ""
	case side.Stopped:
		return "is stopped (SIGSTOP or Ctrl-Z)"
	case s.sleeps(r) && idle > quietAfter:
		return fmt.Sprintf("shows no progress for %.0f s, not even that it waits; it was probably stopped (SIGSTOP)", idle.Seconds())
	}
	return ""
}

func (s *Snapshot) side(r layout.Role) *RoleStats {
	if r == layout.Producer {
		return &s.Producer
	}
	return &s.Consumer
}
