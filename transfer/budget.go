package transfer

import (
	"math"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// fdBudget counts the descriptors that the Sender holds for buffers. Any
// goroutine may use it.
type fdBudget struct {
	most int64
	held atomic.Int64
}

// reservedFDs is the least that is left to the rest of the process: a command has about a
// dozen open, and without one for the connection nothing would ever be sent.
const reservedFDs = 24

// mostDescriptors is what the process may have, but for an eighth that the rest of it
// needs.
func maxDescriptors() int64 {
	const usual = 1024
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		files.Cur = usual // the runtime could not raise it either
	}
	all := int64(min(files.Cur, math.MaxInt64))
	return max(1, min(all/8*7, all-reservedFDs))
}

// take counts one more, or is EMFILE, as the kernel would say a little later.
func (a *fdBudget) take() error {
	if a.held.Add(1) > a.most {
		a.give()
		return unix.EMFILE
	}
	return nil
}

func (a *fdBudget) give() { a.held.Add(-1) }

// memBudget counts the memory that a Sender takes for messages: buffers in flight, free
// ones that are kept for reuse, and what waits in ordinary memory. Any goroutine may
// use it.
type memBudget struct {
	limit uint64
	taken atomic.Uint64
}

// take counts n bytes more, unless they would pass the limit.
func (a *memBudget) take(n uint64) bool {
	for {
		was := a.taken.Load()
		if was+n > a.limit || was+n < was {
			return false
		}
		if a.taken.CompareAndSwap(was, was+n) {
			return true
		}
	}
}

// add counts n bytes that are there in any case.
func (a *memBudget) add(n uint64) { a.taken.Add(n) }

func (a *memBudget) give(n uint64) { a.taken.Add(-n) }
