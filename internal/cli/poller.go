package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// startPoller makes the runtime open the descriptors of its poller now. It does so at the
// first timer, pipe or socket, and ends the process with a trace when it cannot. Here that
// is an error; whoever gets it can use none of those.
func startPoller() error {
	if err := tryPoller(); err != nil {
		return fmt.Errorf("open what the runtime needs: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	return os.NewFile(uintptr(wake), "eventfd").Close() // which is to be polled: it does not block
}

// tryPoller opens what the runtime will: the two descriptors of its poller, and one for what
// starts it.
func tryPoller() error {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(poll)
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	defer unix.Close(wake)
	event := unix.EpollEvent{Events: unix.EPOLLIN}
	if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, wake, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if _, err := unix.EpollWait(poll, make([]unix.EpollEvent, 1), 0); err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_pwait", err)
	}
	third, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd2", err)
	}
	return os.NewSyscallError("close", unix.Close(third))
}
