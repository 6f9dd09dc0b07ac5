package futex

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
)

// Waiter is how one goroutine sleeps on a word that it shares with another process,
// so that any goroutine of its own process can end the sleep as well: because a context
// was canceled, or the segment is being closed.
//
//	for {
//		n := w.Interrupts()       // first this,
//		seen := load(word)        // then the word,
//		if done() || canceled() { // then what a wake or an interrupt is for
//			return
//		}
//		w.Wait(word, seen, n, patience)
//	}
//
// To end the sleep, store first what canceled reports, and then call Interrupt. In that
// order no interrupt is lost: it either comes before the check, or makes Wait return.
//
// Where the kernel has futex_waitv(2) (Linux 5.16), Wait sleeps on two words at once, the
// shared one and a private one that Interrupt changes. Elsewhere, and in a sleep that is
// expected to be short, it sleeps on the shared word alone, and Interrupt wakes that
// repeatedly until the sleeper is awake.
//
// One goroutine at a time may call Wait; Interrupt and Interrupts may be called by any.
// Make a Waiter with NewWaiter.
type Waiter struct {
	// interrupts counts the calls of Interrupt. It is the private futex word.
	interrupts uint32

	// What is known of a sleep on the shared word alone: 0 when there is none, else
	// oneWordSleep with the value of interrupts that the sleeper knows of, and the word.
	oneWord atomic.Uint64
	addr    atomic.Pointer[uint32]

	yieldedAt uint64 // monotonic ns, before a raw sleep

	// Of WaitAny.
	vector   []futexWaiter
	watchers map[*uint32]*watcher
}

const oneWordSleep = 1 << 32

// NewWaiter returns a Waiter that nobody has interrupted. It is not inlined so that
// the Waiter always lies on the heap: the kernel is given the address of a field, and a
// stack may move.
//
//go:noinline
func NewWaiter() *Waiter { return &Waiter{} }

// Interrupts returns a number that Interrupt changes, for Wait.
func (w *Waiter) Interrupts() uint32 { return atomic.LoadUint32(&w.interrupts) }

// Wait is the function [Wait] that an Interrupt ends as well: it sleeps while *addr ==
// val and nobody has called Interrupt since Interrupts returned the given number, for at
// most timeout. It returns OK or NotEqual after an interrupt; the caller checks what the
// interrupt is for.
//
// short says that the sleep will probably end within MaxRaw: then its first part is a raw one.
func (w *Waiter) Wait(addr *uint32, val, interrupts uint32, timeout time.Duration, short bool) (Result, error) {
	if short && enterRaw() {
		began := monotonic.Now()
		errno := w.waitRaw(addr, val, interrupts, timeout, began)
		leaveRaw()
		if errno != unix.EINTR && errno != unix.ETIMEDOUT {
			return result(errno)
		}
		if timeout >= 0 {
			timeout = max(0, timeout-time.Duration(monotonic.Now()-began))
		}
	}
	if !noWaitv.Load() {
		switch errno := waitBoth(addr, val, &w.interrupts, interrupts, timeout); errno {
		case 0, unix.EINTR, unix.EAGAIN, unix.ETIMEDOUT, unix.EFAULT:
			return result(errno)
		default: // ENOSYS: an older kernel; EPERM or what it likes: a sandbox
			noWaitv.Store(true)
		}
	}
	if !w.sayAsleep(addr, interrupts) {
		return NotEqual, nil
	}
	defer w.oneWord.Store(0)
	return Wait(addr, val, timeout)
}

// waitRaw is a raw sleep, on the shared word alone (see raw.go), for MaxRaw at most.
func (w *Waiter) waitRaw(addr *uint32, val, interrupts uint32, timeout time.Duration, now uint64) unix.Errno {
	if now-w.yieldedAt > uint64(yieldEvery) {
		w.yieldedAt = now
		runtime.Gosched()
	}
	if !w.sayAsleep(addr, interrupts) {
		return unix.EAGAIN
	}
	if timeout < 0 || timeout > maxRaw {
		timeout = maxRaw
	}
	errno := waitRaw(addr, val, timeout)
	w.oneWord.Store(0)
	return errno
}

// sayAsleep tells Interrupt that this goroutine is about to sleep on the shared word alone. It
// returns false after an interrupt that the given number does not include.
func (w *Waiter) sayAsleep(addr *uint32, interrupts uint32) bool {
	w.addr.Store(addr)
	// The number before the last look at it, as in Interrupt the other way round: one
	// of the two sees the other.
	w.oneWord.Store(oneWordSleep | uint64(interrupts))
	if w.Interrupts() != interrupts {
		w.oneWord.Store(0)
		return false
	}
	return true
}

// noWaitv remembers that this process does without futex_waitv(2).
var noWaitv atomic.Bool

// Interrupt ends the sleep of a Wait that was given an older number, and makes one that
// is yet to come return at once. Where that sleeps on one word, it takes until the sleeper is
// up, about 0.1 ms.
func (w *Waiter) Interrupt() {
	number := atomic.AddUint32(&w.interrupts, 1)
	wakePrivate(&w.interrupts)
	for {
		asleep := w.oneWord.Load()
		if asleep == 0 || int32(uint32(asleep)-number) >= 0 {
			return
		}
		// It may be about to fall asleep and miss this, hence again and again. When
		// the word's memory is gone, the sleep ends by that.
		if _, err := Wake(w.addr.Load(), -1); err != nil {
			return
		}
		time.Sleep(rewake)
	}
}

// rewake is the time between two attempts to wake a sleeper that has not yet fallen
// asleep.
const rewake = 100 * time.Microsecond
