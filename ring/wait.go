package ring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/endpoint"
	"sluice/internal/futex"
	"sluice/internal/membarrier"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// condition is what a side waits for.
type condition interface {
	// ready looks at the peer once. An error ends the wait.
	ready() (bool, error)
	// wakeAt returns the peer position worth being woken for after that many
	// nanoseconds asleep, and how long to insist on it. A peer that is there
	// makes the condition ready: one that asked for less could be taken out of
	// a sleep, flag down, that it has not quite begun (docs/protocol.md).
	wakeAt(asleep uint64) (index, count uint64, patience time.Duration)
	// stuck looks for a reason not to wait on, after a full slice in which
	// nothing came.
	deadlocked() error
}

// slice is the longest sleep without a look at the world: the peer's life, a lost
// wake-up. Each look costs 0.1 to 0.4 ms of processor, nearly all
// of it in the Go scheduler, so a side that has slept for long takes longSlice.
// unsure is the slice while the peer may publish without a fence that this
// side cannot supply.
const (
	pollInterval     = 100 * time.Millisecond
	longSleep        = time.Second
	longPollInterval = 900 * time.Millisecond // more than a second asleep without a look does not count as blocked
	unfencedPoll     = time.Millisecond
)

// await spins, then sleeps, until c is ready.
func (s *side) await(ctx context.Context, c condition) error {
	if !s.waiting.CompareAndSwap(false, true) {
		panic("ring: two goroutines wait in one " + s.role.String())
	}
	defer s.waiting.Store(false)
	if done, err := s.spin.until(ctx, c); done || err != nil {
		if done {
			s.ownStats.Spins.AddRelaxed(1)
		}
		return err
	}
	s.updateFence()
	began := monotonic.Now()
	endpoint.BeginSleep(s.ownStats, s.blocked, began)

	err := s.sleep(ctx, c, began)

	s.ownSleep.Flag.Store(0)
	s.blocked = endpoint.EndSleep(s.ownStats, monotonic.Now)
	s.spin.learn(monotonic.Now() - began)
	return err
}

// sleep waits on the peer's index word until c is ready. Three things end a sleep: the
// peer's wake, an interrupt (a cancel, Close), and the time, which is the slice or
// what is left until the context's deadline.
func (s *side) sleep(ctx context.Context, c condition, began uint64) error {
	deadline := s.watch(ctx)
	var asked struct{ index, count uint64 } // what ownWait says, while armed
	for armed := false; ; {
		now := monotonic.Now()
		asleep := now - began
		index, count, patience := c.wakeAt(asleep)
		if asleep > uint64(longSleep) && patience == pollInterval {
			patience = longPollInterval
		}
		if !armed || asked.index != index || asked.count != count {
			asked.index, asked.count = index, count
			s.arm(index, count, now)
		}
		if !s.barrier && layout.Fence(s.peerStats.Fence.Load()) == layout.FenceAsymmetric {
			patience = min(patience, unfencedPoll)
		}

		// The values to sleep on are read before what they announce: after a cancel
		// or a publish that comes later than these lines, Wait returns at once.
		interrupts := s.sleeper.Interrupts()
		seen := uint32(s.peerCursor.Index.Load())
		if ok, err := c.ready(); ok || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if now >= deadline {
			overdue(ctx)
			continue
		}
		patience = time.Duration(min(uint64(patience), deadline-now))
		ended, err := s.sleeper.Wait(s.peerWord, seen, interrupts, patience)
		if errors.Is(err, unix.EFAULT) {
			return fmt.Errorf("futex wait: %w", ErrTruncated)
		} else if err != nil {
			return err
		}
		if ok, err := c.ready(); ok || err != nil {
			if ended == futex.TimedOut && patience >= pollInterval {
				s.checkBarrier()
			}
			return err
		}
		armed = s.ownSleep.Flag.Load() != 0
		if !armed {
			s.ownStats.Spurious.AddRelaxed(1)
		}
		if now := monotonic.Now(); now-s.checkedAt >= uint64(pollInterval) {
			s.checkedAt = now
			if err := cmp.Or(s.checkPeer(), c.deadlocked()); err != nil {
				return err
			}
		}
	}
}

// watch sees to it that a cancel of ctx interrupts this side's sleep, and returns the
// deadline of ctx on monotonic.Now. The arrangement is made once for a context, and stands
// until a call comes that sleeps with another one.
func (s *side) watch(ctx context.Context) (deadline uint64) {
	done := ctx.Done()
	if done == nil {
		return noDeadline
	}
	if done != s.watched {
		s.unwatch()
		s.watched, s.stopWatch = done, context.AfterFunc(ctx, s.sleeper.Interrupt)
	}
	return deadlineOf(ctx)
}

func (s *side) unwatch() {
	if s.watched != nil {
		s.stopWatch()
		s.watched, s.stopWatch = nil, nil
	}
}

// noDeadline is the deadline of a context that has none.
const noDeadline = math.MaxUint64

// deadlineOf returns the deadline of ctx on monotonic.Now.
func deadlineOf(ctx context.Context) uint64 {
	at, ok := ctx.Deadline()
	if !ok || ctx.Done() == nil {
		return noDeadline
	}
	return monotonic.Now() + uint64(max(0, time.Until(at)))
}

// overdue waits for a context whose deadline has passed, and whose timer is about to say
// so, not longer than a millisecond. On a channel, because the goroutine that waits
// there is what lets the timer run.
func overdue(ctx context.Context) {
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// arm tells the peer that this side sleeps and what it wants to be woken for.
// The time is the number of this sleep: no two of one role have the same.
//
// The peer publishes with a release store and then loads Flag, with nothing in
// between that keeps the load from overtaking the store. The barrier puts a
// full fence into its running threads: either its load comes after the barrier
// and sees the flag, or its store came before and the next look at its index
// sees that. Where the peer fences by itself, the store of Flag (sequentially
// consistent) is this side's half. docs/protocol.md has the whole argument.
func (s *side) arm(index, count, now uint64) {
	s.slept = max(now, s.slept+1)
	s.ownSleep.Index.Store(index)
	s.ownSleep.Count.Store(count)
	s.ownSleep.Flag.Store(s.slept)
	if s.barrier {
		membarrier.Global()
	}
}

// checkBarrier is called when a whole slice has ended and what this side sleeps for is
// there. If the flag is up, the peer has published it without seeing the flag, so the
// barrier did not reach it: the kernel may pass over a processor, see docs/protocol.md.
// From then on this side asks the peer for full fences.
//
// A peer that is between its publish and its look at the flag takes it down within unsure.
func (s *side) checkBarrier() {
	if !s.barrier || s.full || !reached(s.ownSleep, s.peerCursor.Index.Load(), s.peerCursor.Count.Load()) {
		return
	}
	time.Sleep(unfencedPoll)
	if s.ownSleep.Flag.Load() == s.slept {
		s.barrier, s.full = false, true
		s.ownStats.Fence.Store(uint64(layout.FenceFull))
	}
}

// lookAround says that this side still lives, and whether it waits for a peer
// that works or for one that is not there. It fails when the memory is gone, or
// nobody can come any more.
func (s *side) checkPeer() error {
	endpoint.ContinueSleep(s.ownStats, monotonic.Now())
	if s.peerStatus == nil {
		return nil
	}
	err := s.peerStatus.Check()
	state := layout.StateBlocked
	if s.peerStatus.Absent(s.role.Peer()) {
		state = layout.StateAlone
	} else if errors.Is(err, ErrRemoved) {
		err = nil // the two that are in it need no name
	}
	s.ownStats.State.StoreRelaxed(uint64(state))
	return err
}
