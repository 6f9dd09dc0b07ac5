// Package futex sleeps on a 32-bit word of memory that processes share, and wakes who sleeps
// there: futex(2) and futex_waitv(2). It follows the shape of JavaScript's Atomics.wait and
// Atomics.notify. A [Waiter] can also be woken by another goroutine of its own process.
package futex

import (
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Result is how a Wait ended.
type Result int

// The results, as Atomics.wait has them.
const (
	OK       Result = iota // woken, or interrupted: look again
	NotEqual               // the word did not hold the expected value
	TimedOut               // the time ran out
)

// String returns the result as JavaScript spells it.
func (r Result) String() string {
	return [...]string{"ok", "not-equal", "timed-out"}[r]
}

const (
	futexWait = 0 // FUTEX_WAIT without FUTEX_PRIVATE_FLAG: the peer is another process
	futexWake = 1 // FUTEX_WAKE, likewise
)

// Wait sleeps while *addr == val, for at most timeout (forever when it is
// negative, not at all when it is zero). Spurious returns with OK happen; the
// caller checks its condition again. The error is unix.EFAULT for memory that is not
// mapped or whose file was truncated, or says that the call is forbidden.
//
// Any number of goroutines of any process that maps the word may wait on it.
func Wait(addr *uint32, val uint32, timeout time.Duration) (Result, error) {
	return wait(addr, val, timeout)
}

// Wake wakes at most n waiters on addr, all of them when n is negative, and
// returns how many it woke. It is unix.EFAULT, or forbidden, as in Wait.
func Wake(addr *uint32, n int) (int, error) {
	if n < 0 || n > math.MaxInt32 {
		n = math.MaxInt32
	}
	woken, errno := wake(addr, n)
	if errno != 0 {
		return 0, os.NewSyscallError("futex wake", errno)
	}
	return woken, nil
}

func result(errno unix.Errno) (Result, error) {
	switch errno {
	case 0, unix.EINTR:
		return OK, nil
	case unix.EAGAIN:
		return NotEqual, nil
	case unix.ETIMEDOUT:
		return TimedOut, nil
	}
	return OK, os.NewSyscallError("futex wait", errno)
}
