// Package timerfd makes deadlines of contexts precise, with timerfd_create(2).
package timerfd

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Alarm makes the Go runtime notice without delay that a context's deadline has passed. A thread
// with nothing to run waits in epoll_wait(2), whose timeout is in whole milliseconds, so the
// runtime's timers are up to one millisecond late. A timerfd(2) in the same epoll set ends that
// wait within some tens of microseconds, and the runtime then runs the timers that are due.
//
// The zero Alarm is ready to use, and makes its file at the first Set. One goroutine at a time
// may use it.
type Alarm struct {
	file   *os.File
	at     time.Time // what it is set to
	failed bool
}

// Set sets the alarm to the deadline of ctx, if that has one, in place of an earlier
// Set. Where no timer can be made (no descriptor is left, a sandbox forbids it) it does
// nothing, and deadlines are as precise as the runtime's timers.
func (a *Alarm) Set(ctx context.Context) {
	at, ok := ctx.Deadline()
	if !ok || a.failed || at.Equal(a.at) {
		return
	}
	left := time.Until(at)
	if left <= 0 || ctx.Done() == nil {
		return
	}
	a.at = at
	a.failed = a.set(left) != nil
}

func (a *Alarm) set(left time.Duration) error {
	if a.file == nil {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
		if err != nil {
			return err
		}
		a.file = os.NewFile(uintptr(fd), "timer") // non-blocking, so the poller watches it
	}
	raw, err := a.file.SyscallConn()
	if err != nil {
		return err
	}
	once := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	var setErr error
	if err := raw.Control(func(fd uintptr) { setErr = unix.TimerfdSettime(int(fd), 0, &once, nil) }); err != nil {
		return err
	}
	return setErr
}

// Close gives the timer back. The Alarm can be set again.
func (a *Alarm) Close() error {
	file := a.file
	*a = Alarm{}
	if file == nil {
		return nil
	}
	return file.Close()
}
