package transfer

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrDescriptors: a packet's descriptors did not fit into this process's table. They
// come again when its limit (RLIMIT_NOFILE, ulimit -n) allows them.
var ErrDescriptors = errors.New("out of descriptors")

// read receives a packet into r.entries and r.fds and checks it. The end of the
// connection is ECONNRESET; EAGAIN says that there is none for now. After an error no
// descriptor that came with it is open.
func (r *Receiver) read() (head, error) {
	n, rights, flags, err := r.recvmsg()
	if err != nil {
		return head{}, err
	}
	r.entries, r.entry, r.fd = r.entries[:0], 0, 0
	if r.fds, err = descriptors(r.fds[:0], r.rights[:rights]); err == nil {
		var h head
		if h, err = r.check(r.room[:n], flags); err == nil {
			return h, nil
		}
	}
	r.drop()
	return head{}, err
}

// check takes the packet apart and compares it with what came along.
func (r *Receiver) check(p []byte, flags int) (h head, err error) {
	switch {
	case flags&unix.MSG_CTRUNC != 0:
		// There is room for as many as a packet can have.
		return h, fmt.Errorf("%w for the buffers of a packet", ErrDescriptors)
	case flags&unix.MSG_TRUNC != 0 || len(p) == len(r.room):
		return h, fmt.Errorf("%w: a packet of more than %d bytes", ErrCorrupt, len(r.room)-1)
	case len(p) == 0 && len(r.fds) == 0:
		return h, unix.ECONNRESET
	}
	if h, r.entries, err = parse(p, r.entries); err != nil {
		return h, err
	}
	need := 0
	for _, e := range r.entries {
		need += int(e.flags & flagDescriptor)
	}
	if need != len(r.fds) {
		return h, fmt.Errorf("%w: a packet with %d descriptors for %d", ErrCorrupt, len(r.fds), need)
	}
	return h, nil
}

// recvmsg receives into r.room and r.rights, without waiting.
func (r *Receiver) recvmsg() (n, rights, flags int, err error) {
	var recvErr error
	err = r.raw.Control(func(fd uintptr) {
		recvErr = unix.EINTR
		for recvErr == unix.EINTR {
			n, rights, flags, _, recvErr = unix.Recvmsg(int(fd), r.room, r.rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		}
	})
	if err == nil && recvErr != nil {
		err = os.NewSyscallError("recvmsg", recvErr)
	}
	return n, rights, flags, err
}

// descriptors takes them out of the control data. What it has found is in the
// result also after an error.
func descriptors(into []int, control []byte) ([]int, error) {
	if len(control) == 0 {
		return into, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return into, fmt.Errorf("%w: control data: %w", ErrCorrupt, err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return into, fmt.Errorf("%w: control data: %w", ErrCorrupt, err)
		}
		into = append(into, fds...)
	}
	return into, nil
}
