// Package membarrier makes the running threads of other processes execute a memory barrier:
// membarrier(2). One side of a protocol that has a rare and a frequent part issues the fences
// of both, so that the frequent part needs none.
package membarrier

import (
	"sync"

	"golang.org/x/sys/unix"
)

// Commands of membarrier(2), from linux/membarrier.h.
const (
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2

	membarrierPrivateExpedited         = 1 << 3
	membarrierRegisterPrivateExpedited = 1 << 4
)

// Prepare registers this process for Global and Private in the background. The kernel takes some 10
// ms for each, as long as all processors need to run something else once (synchronize_rcu), in a
// process with several threads. A command that begins with Prepare waits for neither.
func Prepare() {
	go register()
	go registerPrivate()
}

// Register tells the kernel that this process takes part in Global, and reports whether it
// may rely on that: it is false where the kernel or a seccomp filter says no. The answer is
// the same for the life of the process.
func Register() bool { return register() }

var register = sync.OnceValue(func() bool {
	_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierRegisterGlobalExpedited, 0, 0)
	return errno == 0 && Global() // a process that may register can still be refused the barrier
})

// Global makes every running thread of every registered process execute a full
// memory barrier before it returns. What those threads stored before it, the
// caller sees after it; what the caller stored before it, they see after it. It
// costs half a microsecond when the peer sleeps and up to 11 when it runs, which
// is an interrupt to its processor, and reports whether the kernel did it.
func Global() bool {
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierGlobalExpedited, 0, 0)
	return errno == 0
}

// Private is Global for the threads of this process alone, and needs no Register. The kernel
// looks for them itself, by what each processor runs, so it passes over none; Global may for a
// while after Register (docs/protocol.md).
func Private() bool {
	if !registerPrivate() {
		return false
	}
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierPrivateExpedited, 0, 0)
	return errno == 0
}

var registerPrivate = sync.OnceValue(func() bool {
	_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierRegisterPrivateExpedited, 0, 0)
	return errno == 0
})
