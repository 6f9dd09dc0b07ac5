package sleep

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice/internal/futex"
	"sluice/internal/membarrier"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// Many lets one goroutine wait on several sides at once, until what one of them waits for is
// there. A sleep on many is that of a Sleeper with all flags raised: peers know nothing of it.
// docs/protocol.md has the order of all steps, manymodel_test.go explores their interleavings.
//
// One goroutine at a time may use it, except for Interrupt, which any may call. The zero value is
// not ready for use: NewMany.
type Many struct {
	members []*Member
	waiter  *futex.Waiter
	spin    spinner
	due     func() bool

	words     []futex.Word  // of the members, in their order
	checkedAt uint64        // monotonic ns of the last look at the peers' status
	noIndex   layout.Uint64 // for the spinner: there is no one index to look at

	contextWatch
}

// Member is one side of a Many or a Notifier.
type Member struct {
	sleeper   *Sleeper
	condition Condition
	asked     struct{ index, count uint64 } // what the words say, while armed
	armed     bool                          // the flag is up
}

// NewMember returns a side that waits for c.
func NewMember(s *Sleeper, c Condition) *Member { return &Member{sleeper: s, condition: c} }

// Members returns the members, in a slice that is valid until the next Add or Remove.
func (m *Many) Members() []*Member { return m.members }

// NewMany returns a Many without members. spin is as in New. due reports whether Wait is to
// return although no member is ready; who makes it true calls Interrupt then.
func NewMany(spin time.Duration, due func() bool) *Many {
	return &Many{waiter: futex.NewWaiter(), spin: newSpinner(spin), due: due}
}

// Add makes a side a member; c is what it waits for. From here on an Interrupt of s is one of m,
// and s may still wait by itself. No other goroutine uses s yet.
func (m *Many) Add(s *Sleeper, c Condition) *Member {
	s.waiter = m.waiter
	member := NewMember(s, c)
	m.members = append(m.members, member)
	return member
}

// Remove ends what Add has begun. The memory of the side is still mapped.
func (m *Many) Remove(member *Member) {
	m.waiter.Forget(member.sleeper.words.PeerIndex.Futex())
	m.members = slices.DeleteFunc(m.members, func(is *Member) bool { return is == member })
}

// Interrupt ends a Wait that is under way, or makes the next one look again.
func (m *Many) Interrupt() { m.waiter.Interrupt() }

// Close ends what a Wait has arranged. It is for a caller that will not wait again, and whose
// Notifier is closed.
func (m *Many) Close() {
	m.StopWatching()
	m.waiter.Unwatch()
}

// Wait spins, then sleeps, until a member is ready or its Ready has an error, or due says so:
// then it returns nil, and the caller asks each member by itself. An error with a member is that
// of its PeerStatus or its Deadlocked, which is returned only if no other member has a peer that
// may publish. One without a member is the cause of ctx, or shm.ErrTruncated when the memory of a
// member is gone.
func (m *Many) Wait(ctx context.Context) (*Member, error) {
	done, since, err := m.spin.until(ctx, anyMember{m}, &m.noIndex)
	if done || err != nil {
		for _, member := range m.members {
			ready, _ := member.condition.Ready()
			member.sleeper.ended(done && ready, since)
		}
		return nil, err
	}
	began := monotonic.Now()
	beginAll(m.members, cmp.Or(since, began))
	failed, err := m.sleep(ctx, began)
	for _, member := range m.members {
		member.sleeper.end()
	}
	return failed, err
}

// anyMember is the condition that a member is ready.
type anyMember struct{ *Many }

// Ready looks at each member once. An error of one makes it ready: the caller gets it from there.
func (m anyMember) Ready() (bool, error) {
	for _, member := range m.members {
		if ok, err := member.condition.Ready(); ok || err != nil {
			return true, nil
		}
	}
	return m.due(), nil
}

func (anyMember) WakeAt(time.Duration) (index, count uint64, timeout time.Duration) { return 0, 0, 0 }
func (anyMember) Deadlocked() error                                                 { return nil }

// sleep waits on the index words of all peers until a member is ready. It is Sleeper.sleep for
// many.
func (m *Many) sleep(ctx context.Context, began uint64) (*Member, error) {
	deadline := m.watch(ctx, m.waiter)
	for {
		now := monotonic.Now()
		timeout := pollInterval
		if time.Duration(now-began) > longSleep {
			timeout = longPollInterval
		}
		timeout = min(timeout, armAll(m.members, time.Duration(now-began), now))

		// In the order of Sleeper.sleep: first the values to sleep on, then a look at what they
		// announce.
		interrupts := m.waiter.Interrupts()
		m.words = m.words[:0]
		for _, member := range m.members {
			index := member.sleeper.words.PeerIndex
			m.words = append(m.words, futex.Word{Addr: index.Futex(), Value: uint32(index.Load())})
		}
		if ok, _ := (anyMember{m}).Ready(); ok {
			return nil, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if now >= deadline {
			awaitTimer(ctx)
			continue
		}
		timeout = time.Duration(min(uint64(timeout), deadline-now))
		ended, err := m.waiter.WaitAny(m.words, interrupts, timeout)
		if err != nil {
			return nil, waitError(err)
		}
		if ok, _ := (anyMember{m}).Ready(); ok {
			if ended == futex.TimedOut && timeout >= pollInterval {
				m.checkBarriers()
			}
			return nil, nil
		}
		for _, member := range m.members {
			s := member.sleeper
			if member.armed = s.words.Own.Flag.Load() != 0; !member.armed {
				s.words.Stats.Spurious.AddRelaxed(1)
			}
		}
		if now := monotonic.Now(); now-m.checkedAt >= uint64(pollInterval) {
			m.checkedAt = now
			if failed, err := m.checkPeers(); err != nil {
				return failed, err
			}
		}
	}
}

// beginAll is Sleeper.begin for each of the members.
func beginAll(members []*Member, now uint64) {
	for _, member := range members {
		member.armed = false
		member.sleeper.begin(now)
	}
}

// armAll raises the flag of each of the members for which it is not up, with one barrier for all of
// them: see Sleeper.arm. It returns how long the sleep may last at most.
func armAll(members []*Member, asleep time.Duration, now uint64) (most time.Duration) {
	most = longPollInterval
	barrier := false
	for _, member := range members {
		s := member.sleeper
		index, count, timeout := member.condition.WakeAt(asleep)
		if timeout > 0 {
			most = min(most, timeout)
		}
		if !member.armed || member.asked.index != index || member.asked.count != count {
			member.asked.index, member.asked.count, member.armed = index, count, true
			barrier = s.raise(index, count, now) || barrier
		}
		if s.unfenced() {
			most = min(most, unfencedPoll)
		}
	}
	if barrier {
		membarrier.Global()
	}
	return most
}

// checkBarriers is Sleeper.checkBarrier for each member.
func (m *Many) checkBarriers() {
	for _, member := range m.members {
		member.sleeper.checkBarrier()
	}
}

// checkPeers is Sleeper.checkPeer for each member. It returns a member that has an error.
func (m *Many) checkPeers() (failed *Member, err error) {
	live := false
	for _, member := range m.members {
		absent, peerErr := member.sleeper.checkPeer()
		if peerErr != nil {
			return member, peerErr
		}
		if deadlocked := member.condition.Deadlocked(); deadlocked != nil {
			failed, err = member, deadlocked
		} else if !absent {
			live = true
		}
	}
	if live {
		return nil, nil
	}
	return failed, err
}
