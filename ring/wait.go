package ring

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sluice/layout"
	"sluice/shm"
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
	stuck() error
}

// slice is the longest sleep without a look at the world: context, the peer's
// life, a lost wake-up. Each look costs 0.1 to 0.4 ms of processor, nearly all
// of it in the Go scheduler, so a side that has slept for long takes longSlice.
// unsure is the slice while the peer may publish without a fence that this
// side cannot supply.
const (
	slice     = 100 * time.Millisecond
	long      = time.Second
	longSlice = time.Second
	unsure    = time.Millisecond
)

// await spins, then sleeps, until c is ready.
func (s *side) await(ctx context.Context, c condition) error {
	if done, err := s.spin.until(ctx, c); done || err != nil {
		if done {
			s.own.Spins.Add(1)
		}
		return err
	}
	s.agreeOnFence()
	began := shm.Clock()
	s.own.Sleeps(s.blocked, began)

	err := s.sleep(ctx, c, began)

	s.ownWait.Flag.Store(0)
	ended := shm.Clock()
	s.blocked += ended - began
	s.own.Wakes(s.blocked, ended)
	s.spin.learn(ended - began)
	return err
}

// sleep waits on the peer's index word until c is ready.
func (s *side) sleep(ctx context.Context, c condition, began uint64) error {
	var asked struct{ index, count uint64 } // what ownWait says, while armed
	for armed, called := false, false; ; {
		asleep := shm.Clock() - began
		index, count, patience := c.wakeAt(asleep)
		if asleep > uint64(long) && patience == slice {
			patience = longSlice
			if !called {
				called = true
				defer context.AfterFunc(ctx, s.wakeSelf)()
			}
		}
		if !armed || asked.index != index || asked.count != count {
			asked.index, asked.count = index, count
			s.arm(index, count, began+asleep)
		}
		if !s.barrier && layout.Fence(s.peer.Fence.Load()) == layout.FenceAsymmetric {
			patience = min(patience, unsure)
		}

		// The value to sleep on is read before the condition is: whatever is
		// published after this line makes FUTEX_WAIT return at once.
		seen := uint32(s.peerCursor.Index.Load())
		if ok, err := c.ready(); ok || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		result, err := shm.Wait(s.peerWord, seen, patience)
		if err != nil {
			return err
		}
		if ok, err := c.ready(); ok || err != nil {
			return err
		}
		armed = s.ownWait.Flag.Load() != 0
		if !armed {
			s.own.Spurious.Add(1)
		}
		if result == shm.TimedOut && patience >= slice {
			if err := cmp.Or(s.lookAround(), c.stuck()); err != nil {
				return err
			}
		}
	}
}

// wakeSelf ends this side's sleep, if it has begun; if not quite, the slice
// does. Another goroutine may call it, and too late: the kernel refuses an
// address that is gone.
func (s *side) wakeSelf() { shm.Notify(s.peerWord, -1) }

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
	s.ownWait.Index.Store(index)
	s.ownWait.Count.Store(count)
	s.ownWait.Flag.Store(s.slept)
	if s.barrier {
		shm.Barrier()
	}
}

// lookAround says that this side still lives, and whether it waits for a peer
// that works or for one that is not there. It fails when the memory is gone, or
// nobody can come any more.
func (s *side) lookAround() error {
	s.own.ProgressAt.Relaxed(shm.Clock())
	if s.world == nil {
		return nil
	}
	err := s.world.Check()
	state := layout.StateBlocked
	if !s.world.Alive(s.role.Peer()) {
		state = layout.StateAlone
	} else if errors.Is(err, ErrRemoved) {
		err = nil // the two that are in it need no name
	}
	s.own.State.Relaxed(uint64(state))
	return err
}
