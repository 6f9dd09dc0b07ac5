package shm

import (
	"sync"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// Commands of membarrier(2), from linux/membarrier.h.
const (
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2

	membarrierPrivateExpedited         = 1 << 3
	membarrierRegisterPrivateExpedited = 1 << 4
)

// RegisterBarrier tells the kernel that this process takes part in Barrier,
// and reports whether it may rely on that. It is false where the kernel or a
// seccomp filter says no, and where a release store is never overtaken by a
// later load (layout.ReleaseOvertaken), so that there is nothing to gain. The
// answer is the same for the life of the process.
func RegisterBarrier() bool { return registerBarrier() }

var registerBarrier = sync.OnceValue(func() bool {
	if !layout.StoreReleaseOvertaken {
		return false
	}
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierRegisterGlobalExpedited, 0, 0)
	return errno == 0 && Barrier() // who may register may still be refused the barrier
})

// Barrier makes every running thread of every registered process execute a full
// memory barrier before it returns. What those threads stored before it, the
// caller sees after it; what the caller stored before it, they see after it. It
// costs half a microsecond when the peer sleeps and up to 11 when it runs, which
// is an interrupt to its processor, and reports whether the kernel did it.
func Barrier() bool {
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierGlobalExpedited, 0, 0)
	return errno == 0
}

// barrierWithin is Barrier for the threads of this process alone. The kernel looks for them
// itself, by what each processor runs, so it passes over none; Barrier may for a while after
// RegisterBarrier (docs/protocol.md).
func barrierWithin() bool {
	if !registerBarrierWithin() {
		return false
	}
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierPrivateExpedited, 0, 0)
	return errno == 0
}

var registerBarrierWithin = sync.OnceValue(func() bool {
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, membarrierRegisterPrivateExpedited, 0, 0)
	return errno == 0
})
