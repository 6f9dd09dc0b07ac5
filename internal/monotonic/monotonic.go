// Package monotonic reads the clock that processes of one machine share.
package monotonic

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns CLOCK_MONOTONIC in nanoseconds, comparable between processes
// of one machine (and one time namespace). It costs no system call: Go reads
// the same clock through the vDSO, and the offset between Go's start and the
// kernel's is measured once. Two processes agree within about a microsecond.
func Now() uint64 { return offset + uint64(time.Since(start)) }

// At returns the reading of Now at the time t, 0 for a time before the clock began. Without a
// monotonic reading in t (see package time) it is as right as the wall clock.
func At(t time.Time) uint64 {
	since := t.Sub(start)
	if since < 0 && uint64(-since) > offset {
		return 0
	}
	return offset + uint64(since)
}

// Err returns why the kernel's clock is not known, nil if it is. Then Now means nothing.
func Err() error { return calibrateErr }

var start, offset, calibrateErr = calibrate()

// calibrate keeps the tightest of a few readings, so that being descheduled
// between the two clocks does not shift the offset.
func calibrate() (start time.Time, offset uint64, err error) {
	start = time.Now()
	best := time.Duration(1<<63 - 1)
	for range 16 {
		var ts unix.Timespec
		before := time.Since(start)
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			return start, 0, os.NewSyscallError("clock_gettime", err)
		}
		after := time.Since(start)
		if took := after - before; took < best {
			best = took
			offset = uint64(ts.Nano()) - uint64(before+took/2)
		}
	}
	return start, offset, nil
}
