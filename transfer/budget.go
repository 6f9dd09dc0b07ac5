package transfer

import (
	"math"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// fdBudget counts the descriptors that a Sender holds for buffers. Any goroutine may use
// it.
type fdBudget struct {
	max  int64
	held atomic.Int64
}

// reservedFDs is the least number of descriptors that is left to the rest of the process: a
// command has about a dozen open, and without one for the connection nothing would ever be
// sent.
const reservedFDs = 24

// maxDescriptors returns how many descriptors a Sender of this process may hold.
func maxDescriptors() int64 {
	const usual = 1024
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		files.Cur = usual // the runtime could not raise it either
	}
	return int64(MaxDescriptors(files.Cur))
}

// MaxDescriptors returns how many buffers, of a descriptor each, a Sender holds at most in a
// process that may have openFiles files open (RLIMIT_NOFILE): an eighth, and at least two dozen,
// are left to the rest of the process.
func MaxDescriptors(openFiles uint64) uint64 {
	all := int64(min(openFiles, math.MaxInt64))
	return uint64(max(1, min(all/8*7, all-reservedFDs)))
}

// take counts one more, or is EMFILE, as the kernel would say a little later.
func (b *fdBudget) take() error {
	if b.held.Add(1) > b.max {
		b.give()
		return unix.EMFILE
	}
	return nil
}

func (b *fdBudget) give() { b.giveN(1) }

func (b *fdBudget) giveN(n int) { b.held.Add(-int64(n)) }

// memBudget counts the bytes that a Sender takes for messages: buffers in flight, free
// ones that are kept for reuse, and what waits in ordinary memory. Any goroutine may use it.
type memBudget struct {
	limit uint64
	taken atomic.Uint64
}

// take counts n bytes more, and reports false instead if they would pass the limit.
func (b *memBudget) take(n uint64) bool {
	for {
		was := b.taken.Load()
		if was+n > b.limit || was+n < was {
			return false
		}
		if b.taken.CompareAndSwap(was, was+n) {
			return true
		}
	}
}

// fits reports whether n bytes more would be within the limit if idle of those that are counted
// were given up.
func (b *memBudget) fits(n, idle uint64) bool {
	used := b.taken.Load() - idle
	return n <= b.limit && used <= b.limit-n
}

// add counts n bytes that are there in any case.
func (b *memBudget) add(n uint64) { b.taken.Add(n) }

func (b *memBudget) give(n uint64) { b.taken.Add(-n) }
