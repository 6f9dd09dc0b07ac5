package transfer

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is more than anybody is in, and the kernel's NGROUPS_MAX.
const maxGroups = 1 << 16

// peerGroups returns the supplementary groups of who is at the other end of a socket.
// x/sys has no call for SO_PEERGROUPS.
func peerGroups(fd int) ([]uint32, error) {
	for room := 32; ; room *= 2 {
		groups := make([]uint32, room)
		size := uint32(4 * room)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno != unix.ERANGE || room >= maxGroups:
			return nil, errno
		}
	}
}
