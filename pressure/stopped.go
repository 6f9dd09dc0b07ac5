package pressure

import (
	"time"

	"sluice/layout"
)

const (
	// minNoProgress is how long a side that sleeps may show no progress. It records some at
	// least once a second, so after that it does not run.
	minNoProgress = 2 * time.Second
	// minStall is how long a consumer may work on one message before it counts as stalled.
	minStall = 5 * time.Second
)

// stopped returns the verdict on a side that is alive and does not run: the state that it has
// recorded, running or blocked, is not true any more.
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

// sleepsThroughWork reports whether a side sleeps although what it waits for has been there for
// longer than a wake-up takes. This shows sooner than missing progress does.
func (i *Interval) sleepsThroughWork(after *Snapshot, r layout.Role) bool {
	if !after.sleeps(r) || i.Elapsed <= attachTime {
		return false
	}
	if r == layout.Consumer {
		if after.Consumer.Bridge.Present() {
			return false // it has taken what is there, and waits for acknowledgements
		}
		return i.ConsumerStayed && i.Consumed == 0 && after.Fill() >= nearFull && i.DepthBefore > 0
	}
	return !after.elastic() && i.Produced == 0 && after.Depth() == 0 && i.DepthBefore == 0
}

// sleeps reports whether a side is alive and has recorded that it waits, and /proc does not show
// that it runs.
func (s *Snapshot) sleeps(r layout.Role) bool {
	side := s.side(r)
	return side.Alive && !side.Running && (side.State == layout.StateBlocked || side.State == layout.StateAlone)
}

// notRunning returns the evidence that a live side does not run; "" when there is none.
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

// stalled returns the verdict on a consumer that has something to receive and makes no progress.
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

// noProgressFor returns how long a side has shown no progress, 0 when that cannot be known, or when
// it has shown some after the clock of this snapshot was read.
func (s *Snapshot) noProgressFor(side *RoleStats) time.Duration {
	if side.OtherClock {
		return 0
	}
	return time.Duration(max(0, int64(s.At-side.ProgressAt)))
}

func (s *Snapshot) side(r layout.Role) *RoleStats {
	if r == layout.Producer {
		return &s.Producer
	}
	return &s.Consumer
}
