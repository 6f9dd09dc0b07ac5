package transfer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A sandbox may forbid any of the calls that it takes to pass buffers. Either side tries
// each once, before it has promised anything: later a refusal costs the messages that were
// accepted, and what it says of a buffer could be taken for the buffer's fault.

// probeSend returns why the kernel refuses what a Sender needs.
func probeSend(recycle bool) error {
	fd, err := newSealed(make([]byte, 1))
	if err != nil {
		return ifRefused(err)
	}
	defer unix.Close(fd)
	if recycle {
		b, err := newRecycledBuffer(int64(pageSize), 1)
		if err != nil {
			return ifRefused(err)
		}
		b.close()
	}
	return withSockets(func(s int) error {
		return os.NewSyscallError("sendmsg", unix.Sendmsg(s, make([]byte, 1), unix.UnixRights(fd), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL))
	})
}

// probeReceive returns why the kernel refuses what a Receiver needs. It takes no memory: the
// Sender may be at its limit.
func probeReceive() error {
	if fd, err := newSealed(nil); err == nil { // it needs no memfd of its own
		defer unix.Close(fd)
		if _, err := sealsOf(fd); err != nil {
			return ifRefused(err)
		}
		if _, err := unix.Pread(fd, make([]byte, 1), 0); err != nil {
			return ifRefused(os.NewSyscallError("pread", err))
		}
	}
	return withSockets(func(s int) error {
		_, _, _, _, err := unix.Recvmsg(s, make([]byte, 1), make([]byte, rightsSize), unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		return os.NewSyscallError("recvmsg", err) // EAGAIN: nobody has sent anything
	})
}

// withSockets tries what both sides do with a connection, and try, with one end of one.
func withSockets(try func(s int) error) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil // it is needed for nothing else
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if _, err := credentials(pair[0]); err != nil {
		return ifRefused(err)
	}
	if _, err := peek(pair[0]); ifRefused(err) != nil {
		return os.NewSyscallError("recvfrom", err)
	}
	return ifRefused(try(pair[0]))
}

// ifRefused returns an error that is what sandboxes, and kernels that are too old, answer
// to a call; nil for one that passes, as a lack of descriptors.
func ifRefused(err error) error {
	for _, refusal := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, unix.EOPNOTSUPP} {
		if errors.Is(err, refusal) {
			return err
		}
	}
	return nil
}
