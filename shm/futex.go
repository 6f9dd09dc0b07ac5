package shm

import (
	"fmt"
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
// caller checks its condition again. The error is ErrTruncated for memory
// that is gone, or for calls that are forbidden.
//
// Any number of goroutines of any process that maps the word may wait on it.
func Wait(addr *uint32, val uint32, timeout time.Duration) (Result, error) {
	return wait(addr, val, timeout)
}

// Notify wakes at most n waiters on addr, all of them when n is negative, and
// returns how many it woke. The error is ErrTruncated for memory that is gone.
func Wake(addr *uint32, n int) (int, error) {
	if n < 0 || n > math.MaxInt32 {
		n = math.MaxInt32
	}
	woken, errno := wake(addr, n)
	if errno != 0 {
		return 0, failed("futex wake", errno)
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
	return OK, failed("futex wait", errno)
}

// failed is the error of a call. An address that is not there has a meaning of its own here.
func failed(call string, errno unix.Errno) error {
	if errno == unix.EFAULT {
		return fmt.Errorf("%s: %w", call, ErrTruncated)
	}
	return os.NewSyscallError(call, errno)
}
