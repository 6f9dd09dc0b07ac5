package sleep

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
	"sluice/shm"
)

// Condition is what a side waits for.
type Condition interface {
	// Ready looks at the peer once. An error ends the wait.
	Ready() (bool, error)
	// WakeAt returns the peer's position to be woken for after that time asleep, and a timeout
	// after which it is called again at the latest, 0 = none. A peer that has reached the position
	// makes the condition ready: a side that asked for less could have its flag cleared for a sleep
	// that it is only about to begin (docs/protocol.md).
	WakeAt(asleep time.Duration) (index, count uint64, timeout time.Duration)
	// Deadlocked returns a reason not to wait on, after a poll interval in which nothing
	// came, nil if there is none.
	Deadlocked() error
}

// A sleep ends by itself after a poll interval, to see whether the peer lives and for a lost
// wake-up. That costs 0.1 to 0.4 ms of processor, nearly all of it in the Go scheduler, so a
// side that has slept for longSleep takes the long interval. unfencedPoll is the interval
// while the peer may publish without a fence that this side cannot supply.
const (
	pollInterval     = 100 * time.Millisecond
	longSleep        = time.Second
	longPollInterval = 900 * time.Millisecond // endpoint.ContinueSleep counts a second at most as blocked
	unfencedPoll     = time.Millisecond
)

// Wait spins, then sleeps, until c is ready. It returns c's error, that of the PeerStatus, the
// cause of ctx, or shm.ErrTruncated when the memory is gone. What the caller has published
// before may not be followed by more until Wait returns.
func (s *Sleeper) Wait(ctx context.Context, c Condition) error {
	done, since, err := s.spin.until(ctx, c, s.words.PeerIndex)
	if done || err != nil {
		s.ended(done, since)
		return err
	}
	began := monotonic.Now()
	s.begin(cmp.Or(since, began))
	err = s.sleep(ctx, c, began)
	s.end()
	s.lasted = monotonic.Now() - began
	return err
}

// CountWait counts a wait as blocked that began at since, monotonic ns, and was in vain, unless it
// was counted: the number of waits is then not waits any more. Wait does not count one that its
// Condition ends while it spins.
func (s *Sleeper) CountWait(since, waits uint64) {
	if s.words.Stats.Waits.LoadRelaxed() == waits {
		s.blocked = endpoint.CountWait(s.words.Stats, s.blocked, since, monotonic.Now)
	}
}

// ended counts a wait that has ended before a sleep: as spun if it is done, and as one that was
// blocked if others had the processor since that time.
func (s *Sleeper) ended(done bool, since uint64) {
	switch {
	case since != 0:
		endpoint.BeginSleep(s.words.Stats, s.blocked, since)
		s.blocked = endpoint.EndSleep(s.words.Stats, monotonic.Now)
	case done:
		s.words.Stats.Spins.AddRelaxed(1)
	}
}

// begin is what comes before the first flag of a wait.
func (s *Sleeper) begin(now uint64) {
	s.updateFence()
	endpoint.BeginSleep(s.words.Stats, s.blocked, now)
}

// end lowers the flag at the end of a wait.
func (s *Sleeper) end() {
	s.words.Own.Flag.Store(0)
	s.blocked = endpoint.EndSleep(s.words.Stats, monotonic.Now)
}

// sleep waits on the peer's index word until c is ready. Three things end a sleep: the
// peer's wake, an interrupt (a cancel, Interrupt), and the time, which is the poll interval,
// the timeout of c, or what is left until the context's deadline.
func (s *Sleeper) sleep(ctx context.Context, c Condition, began uint64) error {
	deadline := s.watch(ctx, s.waiter)
	var asked struct{ index, count uint64 } // what words.Own says, while armed
	for armed := false; ; {
		now := monotonic.Now()
		asleep := time.Duration(now - began)
		index, count, timeout := c.WakeAt(asleep)
		poll := pollInterval
		if asleep > longSleep {
			poll = longPollInterval
		}
		if timeout == 0 || timeout > poll {
			timeout = poll
		}
		if !armed || asked.index != index || asked.count != count {
			asked.index, asked.count = index, count
			s.arm(index, count, now)
		}
		if s.unfenced() {
			timeout = min(timeout, unfencedPoll)
		}

		// The values to sleep on are read before what they announce: after a cancel
		// or a publish that comes later than these lines, the waiter returns at once.
		interrupts := s.waiter.Interrupts()
		seen := uint32(s.words.PeerIndex.Load())
		if ok, err := c.Ready(); ok || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if now >= deadline {
			awaitTimer(ctx)
			continue
		}
		timeout = time.Duration(min(uint64(timeout), deadline-now))
		short := asleep < futex.MaxRaw && s.lasted < uint64(futex.MaxRaw) // the next sleep is like the last one
		ended, err := s.waiter.Wait(s.words.PeerIndex.Futex(), seen, interrupts, timeout, short)
		if err != nil {
			return waitError(err)
		}
		if ok, err := c.Ready(); ok || err != nil {
			if ended == futex.TimedOut && timeout >= pollInterval {
				s.checkBarrier()
			}
			return err
		}
		armed = s.words.Own.Flag.Load() != 0
		if !armed {
			s.words.Stats.Spurious.AddRelaxed(1)
		}
		if now := monotonic.Now(); now-s.checkedAt >= uint64(pollInterval) {
			s.checkedAt = now
			_, err := s.checkPeer()
			if err = cmp.Or(err, c.Deadlocked()); err != nil {
				return err
			}
		}
	}
}

// waitError returns the error of a futex wait as shm.ErrTruncated when the word is gone.
func waitError(err error) error {
	if errors.Is(err, unix.EFAULT) {
		return fmt.Errorf("futex wait: %w", shm.ErrTruncated)
	}
	return err
}

// arm tells the peer that this side sleeps and what it wants to be woken for.
// The time is the number of this sleep: no two of one role have the same.
//
// The peer publishes with a release store and then loads Flag, with nothing in
// between that keeps the load from overtaking the store. The barrier puts a
// full fence into its running threads: either its load comes after the barrier
// and sees the flag, or its store came before and the next look at its index
// sees that. Where the peer fences by itself, the store of Flag (sequentially
// consistent) is this side's half. docs/protocol.md has the whole argument. Whether it
// does is asked after the flag is stored.
func (s *Sleeper) arm(index, count, now uint64) {
	if s.raise(index, count, now) {
		membarrier.Global()
	}
}

// raise stores the flag and what it stands for, and reports whether the barrier has to follow.
func (s *Sleeper) raise(index, count, now uint64) (barrier bool) {
	s.number = max(now, s.number+1)
	s.words.Own.Index.Store(index)
	s.words.Own.Count.Store(count)
	s.words.Own.Flag.Store(s.number)
	return s.barrier && !s.peerFences()
}

// checkPeer records that this side still runs, and whether it waits for a peer that is there
// or for one that is not.
func (s *Sleeper) checkPeer() (absent bool, err error) {
	endpoint.ContinueSleep(s.words.Stats, monotonic.Now())
	if s.peer == nil {
		return false, nil
	}
	absent, err = s.peer.Status()
	state := layout.StateBlocked
	if absent {
		state = layout.StateAlone
	}
	s.words.Stats.State.StoreRelaxed(uint64(state))
	return absent, err
}

// contextWatch lets the end of a context interrupt a waiter. The arrangement is made once for a
// context, and stands until a call comes that sleeps with another one, or StopWatching.
type contextWatch struct {
	watched <-chan struct{} // of the context whose end interrupts the waiter
	stop    func() bool
}

// watch sees to it that a cancel of ctx interrupts w, and returns the deadline of ctx, monotonic
// ns.
func (c *contextWatch) watch(ctx context.Context, w *futex.Waiter) (deadline uint64) {
	done := ctx.Done()
	if done == nil {
		return noDeadline
	}
	if done != c.watched {
		c.StopWatching()
		c.watched, c.stop = done, context.AfterFunc(ctx, w.Interrupt)
	}
	return deadlineOf(ctx)
}

// StopWatching cancels what a Wait with a context has arranged, which keeps the waiter in memory
// until that context is done. It is for a caller that will not wait again.
func (c *contextWatch) StopWatching() {
	if c.watched != nil {
		c.stop()
		c.watched, c.stop = nil, nil
	}
}

// noDeadline is the deadline of a context that has none.
const noDeadline = math.MaxUint64

// deadlineOf returns the deadline of ctx, monotonic ns.
func deadlineOf(ctx context.Context) uint64 {
	at, ok := ctx.Deadline()
	if !ok || ctx.Done() == nil {
		return noDeadline
	}
	return monotonic.Now() + uint64(max(0, time.Until(at)))
}

// awaitTimer waits for a context whose deadline has passed, and whose timer is about to say
// so, not longer than a millisecond. On a channel, because the goroutine that waits
// there is what lets the timer run.
func awaitTimer(ctx context.Context) {
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
