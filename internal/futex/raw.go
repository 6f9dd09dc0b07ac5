package futex

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A raw sleep is one that the Go scheduler does not know of. It costs what it costs a thread in
// C. An ordinary one costs two to three times as much: the runtime's monitor thread wakes every
// 20 us, until it has taken the P (the right to run goroutines) of the sleeping thread, and again
// when that is awake. A raw sleep keeps its P, which must not stop the rest of the process:
//
//   - The runtime needs every P before each phase of a garbage collection. It sends the threads
//     that run a signal (SIGURG), again and again. A signal ends FUTEX_WAIT with EINTR, but only
//     if that has a timeout: without one, and in futex_waitv(2) always, the system call begins
//     again, because the runtime's handlers have SA_RESTART, and the collection would never end.
//     One that comes before the system call ends nothing; the next one does, or the timeout.
//   - After a signal the rest of the sleep is an ordinary one.
//   - Goroutines that want to run need a P. So with GOMAXPROCS=n no more than n-1 raw sleeps are
//     under way at a time, and none with GOMAXPROCS=1.
//   - A thread that keeps its P for 10 ms is sent the signal, which costs three wake-ups. So a
//     goroutine that begins raw sleeps one after the other yields by itself somewhat sooner.

// MaxRaw is the longest raw sleep, its timeout. It is longer than the kernel's clock tick (4 ms
// where HZ is 250): a shorter timeout is the next event of the processor, and the timer chip is
// set for it and back again, 5 us in a virtual machine.
const MaxRaw = 5 * time.Millisecond

// yieldEvery is how long a goroutine goes on with raw sleeps until it yields.
const yieldEvery = 8 * time.Millisecond

// maxRaw is MaxRaw, but in tests.
var maxRaw = MaxRaw

// rawSleeps is how many goroutines of this process are in a raw sleep, or about to be.
var rawSleeps atomic.Int32

// enterRaw reports whether one more may be. Then the caller calls leaveRaw after the sleep.
func enterRaw() bool {
	if int(rawSleeps.Add(1)) < runtime.GOMAXPROCS(0) {
		return true
	}
	leaveRaw()
	return false
}

func leaveRaw() { rawSleeps.Add(-1) }
