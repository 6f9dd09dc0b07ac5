// Package netpoll starts the Go runtime's network poller when that can still fail in good
// order.
package netpoll

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	mu      sync.Mutex // held while descriptors are tried
	started bool
)

// Start makes the runtime open the descriptors of its poller now. It does so at the first
// timer, pipe or socket, and ends the process with a trace when it cannot. Here that is an
// error, EMFILE for instance; whoever gets it can use none of those. Once it has succeeded it
// does nothing.
func Start() error {
	mu.Lock()
	defer mu.Unlock()
	if started {
		return nil
	}
	if err := try(); err != nil {
		return err
	}
	wake, err := eventfd(unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	started = true
	return os.NewFile(uintptr(wake), "eventfd").Close() // which is to be polled: it does not block
}

// try opens what the runtime will: the two descriptors of its poller, and one for what
// starts it.
func try() error {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(poll)
	wake, err := eventfd(unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(wake)
	event := unix.EpollEvent{Events: unix.EPOLLIN}
	if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, wake, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if _, err := unix.EpollWait(poll, make([]unix.EpollEvent, 1), 0); err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_pwait", err)
	}
	third, err := eventfd(0)
	if err != nil {
		return err
	}
	return os.NewSyscallError("close", unix.Close(third))
}

func eventfd(flags int) (fd int, err error) {
	fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|flags)
	return fd, os.NewSyscallError("eventfd2", err)
}
