package sleep

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/internal/cpu"
	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// maxSpin bounds the adaptive spin. Sleeping and being woken costs 13 to 20 us
// on the machines measured in docs/protocol.md: spinning longer than that for
// something that comes later costs more than it can save.
const maxSpin = 20_000 // ns

// An adaptive spinner knows what spinning has saved in the end, ns, less what it has cost, from 0
// to maxSaved. It spins as long as that is more than 0, and starts with maxSaved, which so many
// spins in vain use up. Then one wait in tryEvery spins, so that it notices when waits become
// short again. Which one is random: two sides that wait for each other in turn notice when both
// spin in the same round.
const (
	maxSaved = 8 * maxSpin
	tryEvery = 32
)

// spinner waits without sleeping, for a fixed time or for as long as that has paid off. An adaptive
// one yields, too.
type spinner struct {
	limit    uint64 // ns
	adaptive bool
	saved    int64   // ns; unused if not adaptive
	yielder  yielder // likewise
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
		return spinner{limit: uint64(max(0, d))}
	}
	return spinner{limit: maxSpin, adaptive: true, saved: maxSaved}
}

// until spins until c is ready, ctx is done or the limit is reached. index is what the peer changes
// to make c ready. since is not 0, but monotonic ns, if others had the processor from then on.
func (p *spinner) until(ctx context.Context, c Condition, index *layout.Uint64) (ready bool, since uint64, err error) {
	if p.limit == 0 {
		return false, 0, nil
	}
	yield := p.adaptive && p.yielder.due()
	if p.adaptive && p.saved == 0 && rand.Uint32N(tryEvery) != 0 {
		if yield {
			return p.yielder.until(c)
		}
		return false, 0, nil
	}
	var began, spent, deadline uint64
	for turn := 0; ; turn++ {
		seen := index.Load()
		if ok, err := c.Ready(); ok || err != nil {
			p.learn(maxSpin - int64(spent))
			return ok, 0, err
		}
		if turn < shortTurns {
			for look := 0; look < looks && index.Load() == seen; look++ {
				cpu.Pause(1)
			}
		} else {
			cpu.Pause(1 << min(turn-shortTurns, maxPauseShift))
		}
		if yield && turn == shortTurns {
			// While others want this processor, spinning holds them up, and maybe the peer.
			switch ready, since, err := p.yielder.until(c); {
			case ready, err != nil:
				p.learn(-int64(spent))
				return ready, since, err
			case since != 0:
				p.learn(-maxSpin)
				return false, since, nil
			}
		}
		now := monotonic.Now()
		if began == 0 {
			began, deadline = now, deadlineOf(ctx)
		}
		spent = now - began
		if spent >= p.limit || now >= deadline || ctx.Err() != nil {
			p.learn(-maxSpin)
			return false, 0, nil
		}
	}
}

// The other side of a round trip answers after 0.1 to 1 us. At first that is time in which a look
// at anything but the index, 10 ns, is too long, and so is more than one pause; none at all is
// slower again, because a processor that has loaded ahead of a change must begin again. Later,
// pauses grow: each load of the peer's index takes its cache line away from the peer's processor,
// and then the peer has published several messages by the next load.
const (
	shortTurns    = 4  // until pauses grow
	looks         = 16 // at the index, in each of those, with a pause behind each
	maxPauseShift = 8  // binary logarithm of the longest run of pauses
)

// learn adds what a spin has saved, ns: a sleep, less what it has cost. One that took longer than
// maxSpin was held up by others.
func (p *spinner) learn(saved int64) {
	p.saved = min(max(0, p.saved+max(saved, -maxSpin)), maxSaved)
}
