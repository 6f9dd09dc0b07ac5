package pressure

import (
	"time"

	"sluice/layout"
)

const (
	// minNoProgress is how long a side that sleeps may show no progress. It looks around at
	// least once a second, so after that it does not run.
	minNoProgress = 2 * time.Second
	// minStall is how long a consumer may work on one message before it is
	// said to be stalled.
	minStall = 5 * time.Second
)

// stopped is the verdict on a side that does not run although it lives: what it says
// of itself, running or blocked, is not true any more.
func stopped(i *Interval, after *Snapshot) (Verdict, bool) {
	for _, r := range []layout.Role{layout.Consumer, layout.Producer} {
		cause := after.notRunning(r)
		if cause == "" && i.sleepsThroughWork(after, r) {
			cause = CauseAsleep
		}
		if cause == "" {
			continue
		}
		v := conclude(Stopped, cause, i, after)
		v.setProcess(r, after.side(r))
		if cause == CauseNoProgress {
			v.NoProgressFor = after.noProgressFor(after.side(r))
		}
		v.Advice = []Advice{{Kind: AdviceContinue}}
		if !v.OtherPIDNamespace {
			v.Advice[0].PID = v.PID
		}
		return v, true
	}
	return Verdict{}, false
}

// setProcess names the process that is stopped or stalled.
func (f *Figures) setProcess(r layout.Role, side *RoleStats) {
	f.Role, f.PID, f.OtherPIDNamespace = r, side.PID, side.OtherPIDNamespace
}

// sleepsThroughWork reports whether a side sleeps although what it sleeps for was there for
// longer than it takes to wake up. This shows sooner than its progress does.
func (i *Interval) sleepsThroughWork(after *Snapshot, r layout.Role) bool {
	if !after.sleeps(r) || i.Elapsed <= attachTime {
		return false
	}
	if r == layout.Consumer {
		return i.ConsumerStayed && i.Consumed == 0 && after.Fill() >= nearFull && i.DepthBefore > 0
	}
	return after.Geometry.Mode == layout.ModeRing && i.Produced == 0 && after.Depth() == 0 && i.DepthBefore == 0
}

// sleeps reports whether a side lives and says that it waits, and nothing more is known.
func (s *Snapshot) sleeps(r layout.Role) bool {
	side := s.side(r)
	return side.Alive && !side.Running && (side.State == layout.StateBlocked || side.State == layout.StateAlone)
}

// notRunning returns how it shows that a live side does not run; "" when it does not show.
func (s *Snapshot) notRunning(r layout.Role) Cause {
	side := s.side(r)
	switch {
	case !side.Alive:
		return ""
	case side.Stopped:
		return CauseSignal
	case s.sleeps(r) && s.noProgressFor(side) > minNoProgress:
		return CauseNoProgress
	}
	return ""
}

// stalled is the verdict on a consumer that is there, and has something to receive.
func stalled(i *Interval, after *Snapshot) (Verdict, bool) {
	idle := after.noProgressFor(&after.Consumer)
	if !i.ConsumerStayed || i.Elapsed <= attachTime || i.Consumed > 0 || after.Depth() == 0 || idle <= minStall {
		return Verdict{}, false
	}
	v := conclude(Stalled, CauseNoProgress, i, after, AdviceInspectConsumer)
	v.setProcess(layout.Consumer, &after.Consumer)
	v.NoProgressFor, v.LastProducer = idle, after.lastProducer()
	if i.Dropped > 0 {
		v.Dropped, v.Offered = i.Dropped, i.Dropped+i.Produced
	}
	return v, true
}

// noProgressFor is how long a side has shown no progress, 0 when that cannot be known. It may
// have shown some after this snapshot's clock was read.
func (s *Snapshot) noProgressFor(side *RoleStats) time.Duration {
	if side.OtherClock {
		return 0
	}
	return time.Duration(max(0, int64(s.At-side.Progress)))
}

func (s *Snapshot) side(r layout.Role) *RoleStats {
	if r == layout.Producer {
		return &s.Producer
	}
	return &s.Consumer
}
