package sleep

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/cpu"
	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
)

// maxSpin bounds the adaptive spin. Sleeping and being woken costs 13 to 20 us
// on the machines measured in docs/protocol.md: spinning longer than that for
// something that comes later costs more than it can save.
const maxSpin = 20_000 // ns

// minSpin is what the adaptive spin never falls below, so that it notices when
// waits become short again.
const minSpin = 500 // ns

// spinner waits without sleeping, for a fixed time or for as long as that has paid off.
type spinner struct {
	budget   uint64 // ns
	adaptive bool
}

// SpinAdaptive is the spin time that adapts: as long as spinning has paid off, 20 us at most.
const SpinAdaptive time.Duration = 0

// SpinNever is the spin time of a side that sleeps at once.
const SpinNever time.Duration = -1

// CheckSpin returns endpoint.ErrOption for a negative time that is not SpinNever.
func CheckSpin(d time.Duration) error {
	if d < SpinNever {
		return fmt.Errorf("%w: Spin %v is negative", endpoint.ErrOption, d)
	}
	return nil
}

func newSpinner(d time.Duration) spinner {
	if d != SpinAdaptive {
		return spinner{budget: uint64(max(0, d))}
	}
	return spinner{budget: maxSpin, adaptive: true}
}

// until spins until c is ready, ctx is done or the budget is used up.
//
// Every load of the peer's index takes its cache line away from the peer's processor, so
// the pauses between loads grow: then the peer has published several messages by the
// next load.
func (p *spinner) until(ctx context.Context, c Condition) (bool, error) {
	if p.budget == 0 {
		return false, nil
	}
	var began, deadline uint64
	for turn := 0; ; turn++ {
		cpu.Pause(1 << min(turn, maxPauseShift))
		if ok, err := c.Ready(); ok || err != nil {
			return ok, err
		}
		if turn < 8 {
			continue // shorter than the clock is worth
		}
		now := monotonic.Now()
		if began == 0 {
			began, deadline = now, deadlineOf(ctx)
		}
		if now-began >= p.budget || now >= deadline || ctx.Err() != nil {
			return false, nil
		}
	}
}

// maxPauseShift is the binary logarithm of the longest run of pauses.
const maxPauseShift = 8

// learn adapts the budget to a wait, ns, that ended in a sleep. A short one shows that
// a longer spin would have avoided the sleep; a long one that the spin was wasted.
func (p *spinner) learn(waited uint64) {
	switch {
	case !p.adaptive:
	case waited < maxSpin:
		p.budget = min(2*p.budget, maxSpin)
	default:
		p.budget = max(p.budget/2, minSpin)
	}
}
