package transfer

import (
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// authorize lets in a peer that runs as this user, or that belongs to the group that access
// names. ErrOtherUser for any other, which is an ErrPeer; else the kernel's errors.
func authorize(conn *net.UnixConn, access shm.Access) error {
	cred, err := peerCredentials(conn)
	if err != nil {
		return err
	}
	return authorizeUser(conn, cred, access)
}

// authorizeConsumer is authorize for who listens, which root may as well: a socket that
// systemd has made is root's until the consumer accepts, and root could read the messages
// anyway.
func authorizeConsumer(conn *net.UnixConn, access shm.Access) error {
	cred, err := peerCredentials(conn)
	if err != nil || cred.Uid == 0 {
		return err
	}
	return authorizeUser(conn, cred, access)
}

// peerCredentials asks the kernel who is at the other end: who has connected, or has
// listened.
func peerCredentials(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	err = control(conn, func(fd int) (err error) { cred, err = credentials(fd); return err })
	return cred, err
}

func credentials(fd int) (*unix.Ucred, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return cred, os.NewSyscallError("getsockopt(SO_PEERCRED)", err)
}

func authorizeUser(conn *net.UnixConn, cred *unix.Ucred, access shm.Access) error {
	if int(cred.Uid) == os.Geteuid() {
		return nil
	}
	gid, shared := access.Group()
	if shared && int(cred.Gid) == gid {
		return nil
	}
	if shared {
		var groups []uint32
		if err := control(conn, func(fd int) (err error) { groups, err = peerGroups(fd); return err }); err != nil {
			return fmt.Errorf("groups of the peer: %w", err)
		}
		if slices.Contains(groups, uint32(gid)) {
			return nil
		}
	}
	return fmt.Errorf("%w: it has uid %d, want %d", ErrOtherUser, cred.Uid, os.Geteuid())
}
