package transfer

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendNothing sends a packet of no bytes with descriptors. unix.Sendmsg would put a
// byte into it.
func sendNothing(fd int, rights []byte) error {
	msg := unix.Msghdr{}
	if len(rights) > 0 {
		msg.Control = unsafe.SliceData(rights)
		msg.SetControllen(len(rights))
	}
	_, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
	if errno != 0 {
		return errno
	}
	return nil
}
