package sleep

import (
	"encoding/binary"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/futex"
	"sluice/internal/gate"
	"sluice/internal/monotonic"
	"sluice/shm"
)

// Notifier tells one goroutine, which waits for other things too, that what one of its sides
// waits for may be there: by a channel, or by a descriptor. The goroutine that uses the sides is
// the owner of the Notifier; Close may be called by any.
//
// The event is level-triggered. It is cleared by Arm alone, which the owner calls when it has found
// nothing: that clears it, raises the flags, issues the barrier, looks once more, and has a
// goroutine sleep on behalf of the owner, all in the order of Many.sleep. That goroutine sets the
// event and sleeps no more. So an event that is clear has a goroutine that will set it. Peers know
// nothing of this: they wake it as they wake any sleeper.
//
// The goroutine reads what it was given at Arm, and shared memory. So the owner may use the sides
// meanwhile, except to wait: Disarm comes before that, because a side has one flag for one sleep.
type Notifier struct {
	due    func() bool   // as in NewMany; nil = never
	waiter *futex.Waiter // that of the sides
	work   chan []armedSide
	idle   chan struct{} // an element when the goroutine has done its work
	done   chan struct{} // closed by Close
	halt   atomic.Bool   // the goroutine is to come back
	gate   gate.Gate     // passed from Arm until the flags are down
	closed sync.Once

	idleAtEnd bool // what Close returns

	// Of the owner.
	armed bool        // the goroutine has work, or has done it and left an element in idle
	sides []armedSide // of the goroutine while it has work

	mu     sync.Mutex
	arming uint64 // times that the event was cleared
	set    bool
	ready  chan struct{} // closed while set
	event  *os.File      // an eventfd, readable while set; nil until Descriptor
}

// armedSide is a member whose flag is up.
type armedSide struct {
	sleeper *Sleeper
	seen    uint32
	over    func() bool
	missed  bool // the barrier had not reached the peer
}

// Observed is a Condition that another goroutine than the one that uses the side can watch.
type Observed interface {
	Condition
	// Over returns a function that reports whether the condition may be ready for another reason
	// than the peer's index. Any goroutine may call it as long as the memory is mapped.
	Over() func() bool
}

// NewNotifier returns a Notifier of the side, whose event is set. An Interrupt of the side makes
// its goroutine look again.
//
// The two have one Waiter. A wake is for one sleeper, and may be taken by a goroutine of the Waiter
// that still sleeps on the index: see futex.Waiter.WaitAny.
func (s *Sleeper) NewNotifier() *Notifier { return newNotifier(s.waiter, nil) }

// NewNotifier returns a Notifier of members, as that of a Sleeper. It looks at due too.
func (m *Many) NewNotifier() *Notifier { return newNotifier(m.waiter, m.due) }

func newNotifier(w *futex.Waiter, due func() bool) *Notifier {
	n := &Notifier{due: due, waiter: w, work: make(chan []armedSide), idle: make(chan struct{}, 1), done: make(chan struct{})}
	n.set, n.ready = true, make(chan struct{})
	close(n.ready)
	go n.run()
	return n
}

// Always is the channel of an event that is set for good.
var Always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Channel returns a channel that is closed when the event is set. Once it was, and is cleared,
// there is another one.
func (n *Notifier) Channel() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready
}

// Descriptor returns an eventfd(2) that is readable while the event is set. It is the Notifier's.
func (n *Notifier) Descriptor() (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.event == nil {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return -1, os.NewSyscallError("eventfd", err)
		}
		n.event = os.NewFile(uintptr(fd), "eventfd")
		if n.set {
			n.raise()
		}
	}
	return int(n.event.Fd()), nil
}

// raise makes the descriptor readable. n.mu is held.
func (n *Notifier) raise() {
	if n.event != nil {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(int(n.event.Fd()), one[:]) // it is writable: the counter is 0 or 1
	}
}

// signal sets the event, if it was not cleared since that number. The owner may read arming without
// n.mu.
func (n *Notifier) signal(arming uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.set || n.arming != arming {
		return
	}
	n.set = true
	n.raise()
	close(n.ready)
}

// clear clears the event and returns the number of this time.
func (n *Notifier) clear() (arming uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arming++
	if n.set {
		n.set, n.ready = false, make(chan struct{})
		if n.event != nil {
			var count [8]byte
			_, _ = unix.Read(int(n.event.Fd()), count[:])
		}
	}
	return n.arming
}

// Arm is called when the owner has found nothing: from here on the event is set if and only if
// something may be there. It does nothing while it is armed already. An error is that of the
// PeerStatus of a member that has nothing, and nobody watches then.
func (n *Notifier) Arm(members []*Member) (failed *Member, err error) {
	if n.armed {
		select {
		case <-n.idle:
			n.armed = false
			n.adopt()
		default:
			return nil, nil
		}
	}
	if n.found(members) {
		n.signal(n.arming)
		return nil, nil
	}
	n.gate.Enter()
	if n.gate.Closed() {
		n.gate.Leave()
		return nil, nil
	}
	arming := n.clear()
	n.sides = n.sides[:0]
	for _, m := range members {
		n.sides = append(n.sides, armedSide{sleeper: m.sleeper})
	}
	defer func() {
		if !n.armed { // something is there, or the memory of a member is not
			lower(n.sides)
			n.gate.Leave()
			n.signal(arming)
		}
	}()
	now := monotonic.Now()
	beginAll(members, now)
	armAll(members, 0, now)
	for i, m := range members { // the values to sleep on before the look at what they announce
		side := &n.sides[i]
		side.seen = uint32(m.sleeper.words.PeerIndex.Load())
		if c, ok := m.condition.(Observed); ok {
			side.over = c.Over()
		}
	}
	// Before the last look: a peer that is found gone has published something until then, or never.
	failed, err = checkDuePeers(members, now)
	if n.found(members) {
		return nil, nil
	}
	if err != nil {
		return failed, err
	}
	select {
	case n.work <- n.sides:
		n.armed = true
	case <-n.done:
	}
	return nil, nil
}

// checkDuePeers is Sleeper.checkPeer for each of the members for which a poll interval has passed
// since the last one. It returns a member that has an error, of which it asks again the next time.
func checkDuePeers(members []*Member, now uint64) (failed *Member, err error) {
	for _, m := range members {
		if now-m.sleeper.checkedAt < uint64(pollInterval) {
			continue
		}
		if _, err := m.sleeper.checkPeer(); err != nil {
			return m, err
		}
		m.sleeper.checkedAt = now
	}
	return nil, nil
}

// found reports whether a member is ready, or due says so.
func (n *Notifier) found(members []*Member) bool {
	for _, m := range members {
		if ok, err := m.condition.Ready(); ok || err != nil {
			return true
		}
	}
	return n.due != nil && n.due()
}

// lower ends the sleep of the sides. The memory of one may be gone, which ends nothing for others.
func lower(sides []armedSide) {
	for _, side := range sides {
		_ = shm.Guard(func() error { side.sleeper.end(); return nil })
	}
}

// adopt takes over what the goroutine has found out.
func (n *Notifier) adopt() {
	for _, side := range n.sides {
		if side.missed {
			side.sleeper.giveUpBarrier()
		}
	}
}

// Disarm calls the goroutine back, and sets the event: nobody watches any more. The owner may wait
// then, or use other members.
func (n *Notifier) Disarm() {
	if !n.armed {
		return
	}
	n.halt.Store(true)
	n.waiter.Interrupt()
	<-n.idle
	n.halt.Store(false)
	n.armed = false
	n.adopt()
}

// Close ends the goroutine, sets the event and closes the descriptor. It returns when the goroutine
// uses the memory of the sides and their Waiter no more; idle is false if that takes longer than
// gate.CloseTimeout. The owner does not call Arm or Disarm then.
func (n *Notifier) Close() (idle bool) {
	n.closed.Do(func() {
		n.gate.Close()
		n.halt.Store(true)
		n.waiter.Interrupt()
		n.idleAtEnd = n.gate.Wait(gate.CloseTimeout)
		close(n.done)
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.set {
			n.set = true
			close(n.ready)
		}
		if n.event != nil {
			n.event.Close()
			n.event = nil
		}
	})
	return n.idleAtEnd
}

// run is the goroutine that sleeps on behalf of the owner.
func (n *Notifier) run() {
	for {
		var sides []armedSide
		select {
		case sides = <-n.work:
		case <-n.done:
			return
		}
		n.mu.Lock()
		arming := n.arming
		n.mu.Unlock()
		// A fault is one of the owner's next call too.
		_ = shm.Guard(func() error { n.sleep(sides); return nil })
		lower(sides)
		n.gate.Leave()       // Arm has entered it
		n.idle <- struct{}{} // before the signal: who is woken by that may arm again
		n.signal(arming)
	}
}

// sleep waits until one of the sides may be ready.
func (n *Notifier) sleep(sides []armedSide) {
	words := make([]futex.Word, len(sides))
	for i, side := range sides {
		words[i] = futex.Word{Addr: side.sleeper.words.PeerIndex.Futex(), Value: side.seen}
	}
	began := monotonic.Now()
	checkedAt := began
	for {
		interrupts := n.waiter.Interrupts()
		if n.halt.Load() || n.due != nil && n.due() {
			return
		}
		timeout := pollInterval
		if now := monotonic.Now(); now-began > uint64(longSleep) {
			timeout = longPollInterval
		}
		for _, side := range sides {
			if side.changed() || side.over != nil && side.over() {
				return
			}
			if side.sleeper.unfenced() {
				timeout = min(timeout, unfencedPoll)
			}
		}
		ended, err := n.waiter.WaitAny(words, interrupts, timeout)
		if err != nil {
			return // likewise: the memory is gone
		}
		now := monotonic.Now()
		if ended == futex.TimedOut && timeout >= pollInterval {
			if checkBarriers(sides) {
				return
			}
		}
		if now-checkedAt >= uint64(pollInterval) {
			checkedAt = now
			for _, side := range sides {
				if _, err := side.sleeper.checkPeer(); err != nil {
					return // the owner's next Arm finds that
				}
			}
		}
	}
}

// changed reports whether the peer has published, or has seen the flag.
func (a *armedSide) changed() bool {
	w := &a.sleeper.words
	return uint32(w.PeerIndex.Load()) != a.seen || w.Own.Flag.Load() == 0
}

// checkBarriers finds out which peers have published without seeing the flag, as
// Sleeper.checkBarrier does, and reports whether there is one.
func checkBarriers(sides []armedSide) (missed bool) {
	for i := range sides {
		s := sides[i].sleeper
		w := &s.words
		if s.barrier && reached(w.Own, w.PeerIndex.Load(), w.PeerCount.Load()) {
			time.Sleep(unfencedPoll)
			sides[i].missed = w.Own.Flag.Load() != 0
			missed = missed || sides[i].missed
		}
	}
	return missed
}
