package futex

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
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
// shared one and a private one that Interrupt changes. Elsewhere it sleeps on the shared
// word alone, and Interrupt wakes that repeatedly until the sleeper is awake.
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
func (w *Waiter) Wait(addr *uint32, val, interrupts uint32, timeout time.Duration) (Result, error) {
	if !noWaitv.Load() {
		switch errno := waitBoth(addr, val, &w.interrupts, interrupts, timeout); errno {
		case 0, unix.EINTR, unix.EAGAIN, unix.ETIMEDOUT, unix.EFAULT:
			return result(errno)
		default: // ENOSYS: an older kernel; EPERM or what it likes: a sandbox
			noWaitv.Store(true)
		}
	}
	w.addr.Store(addr)
	// The number before the last look at it, as in Interrupt the other way round: one
	// of the two sees the other.
	w.oneWord.Store(oneWordSleep | uint64(interrupts))
	defer w.oneWord.Store(0)
	if w.Interrupts() != interrupts {
		return NotEqual, nil
	}
	return Wait(addr, val, timeout)
}

// noWaitv remembers that this process does without futex_waitv(2).
var noWaitv atomic.Bool

// Interrupt ends the sleep of a Wait that was given an older number, and makes one that
// is yet to come return at once. Without futex_waitv(2) it takes until the sleeper is up,
// about 0.1 ms.
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
