package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// timerAbstime is TIMER_ABSTIME of time.h.
const timerAbstime = 1

// sleepUntil sleeps until that time of the monotonic clock, ns, or until a signal comes. It does
// not tell the scheduler, which costs more than the sleep.
func sleepUntil(due uint64) {
	at := unix.NsecToTimespec(int64(due))
	// The kernel reads at before the call returns; it lives as long.
	unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, timerAbstime, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
}
