package shm

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wait goes through Syscall6 so that the scheduler may give this thread's
// processor to another goroutine while it sleeps.
func wait(addr *uint32, val uint32, timeout time.Duration) (Result, error) {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWait, uintptr(val), uintptr(unsafe.Pointer(ts)), 0, 0)
	return result(errno)
}

// wake never sleeps, so it spares itself the scheduler's book-keeping.
func wake(addr *uint32, n int) (int, unix.Errno) {
	woken, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWake, uintptr(n), 0, 0, 0)
	return int(woken), errno
}
