package futex

import (
	"math"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
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

// waitRaw does not tell the scheduler: see raw.go. The timeout is from 0 to MaxRaw.
func waitRaw(addr *uint32, val uint32, timeout time.Duration) unix.Errno {
	ts := unix.NsecToTimespec(int64(timeout))
	_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWait, uintptr(val), uintptr(unsafe.Pointer(&ts)), 0, 0)
	return errno
}

// wake never sleeps, so it spares itself the scheduler's book-keeping.
func wake(addr *uint32, n int) (int, unix.Errno) {
	woken, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWake, uintptr(n), 0, 0, 0)
	return int(woken), errno
}

// futexWaiter is struct futex_waitv of linux/futex.h.
type futexWaiter struct {
	val   uint64
	addr  uint64
	flags uint32
	_     uint32
}

// From linux/futex.h; the number of the call is the same on every architecture that
// Go has for Linux.
const (
	sysFutexWaitv = 449
	futex2Size32  = 2
	futexPrivate  = 128 // FUTEX2_PRIVATE and FUTEX_PRIVATE_FLAG
)

// MaxWords is how many shared words futex_waitv(2) can wait for beside a private one.
const MaxWords = 127 // FUTEX_WAITV_MAX - 1

// waitv sleeps while every word of vector has its value.
func waitv(vector []futexWaiter, timeout time.Duration) unix.Errno {
	var ts *unix.Timespec // absolute, unlike that of FUTEX_WAIT
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(min(monotonic.Now()+uint64(timeout), math.MaxInt64)))
		ts = &t
	}
	_, _, errno := unix.Syscall6(sysFutexWaitv, uintptr(unsafe.Pointer(&vector[0])), uintptr(len(vector)), 0, uintptr(unsafe.Pointer(ts)), unix.CLOCK_MONOTONIC, 0)
	return errno
}

// waitBoth sleeps while *addr == val and *private == privateVal. addr is shared with
// another process, private is not, and lies on the heap.
func waitBoth(addr *uint32, val uint32, private *uint32, privateVal uint32, timeout time.Duration) unix.Errno {
	vector := [2]futexWaiter{sharedEntry(addr, val), privateEntry(private, privateVal)}
	errno := waitv(vector[:], timeout)
	runtime.KeepAlive(addr)
	runtime.KeepAlive(private)
	return errno
}

func sharedEntry(addr *uint32, val uint32) futexWaiter {
	return futexWaiter{val: uint64(val), addr: uint64(uintptr(unsafe.Pointer(addr))), flags: futex2Size32}
}

func privateEntry(addr *uint32, val uint32) futexWaiter {
	return futexWaiter{val: uint64(val), addr: uint64(uintptr(unsafe.Pointer(addr))), flags: futex2Size32 | futexPrivate}
}

// waitPrivate sleeps while *addr == val, a word that only this process has and that lies on the
// heap.
func waitPrivate(addr *uint32, val uint32, timeout time.Duration) unix.Errno {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWait|futexPrivate, uintptr(val), uintptr(unsafe.Pointer(ts)), 0, 0)
	return errno
}

// wakePrivate wakes whoever waits in waitBoth with that private word.
func wakePrivate(addr *uint32) {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), futexWake|futexPrivate, 1, 0, 0, 0)
}
