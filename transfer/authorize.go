package transfer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// dial connects to a consumer that this user trusts. Root is one: a socket that
// systemd has made is root's until the consumer accepts, and root could read
// the messages anyway.
func dial(path string, access shm.Access) (*net.UnixConn, error) {
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
	if errors.Is(err, unix.EPROTOTYPE) {
		return nil, fmt.Errorf("%w: what listens there is no consumer: %w", ErrPeer, err)
	}
	if err != nil {
		return nil, err
	}
	cred, err := peer(conn)
	if err == nil && cred.Uid != 0 {
		err = check(conn, cred, access)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// authorize lets a producer in that this user trusts, and returns ErrPeer for any other.
func authorize(conn *net.UnixConn, access shm.Access) error {
	cred, err := peer(conn)
	if err != nil {
		return err
	}
	return check(conn, cred, access)
}

// peer asks the kernel who is at the other end: who has connected, or has listened.
func peer(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	err = control(conn, func(fd int) (err error) { cred, err = credentials(fd); return err })
	return cred, err
}

func credentials(fd int) (*unix.Ucred, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return cred, os.NewSyscallError("getsockopt(SO_PEERCRED)", err)
}

// check accepts this user, and the members of the group that was asked for.
func check(conn *net.UnixConn, cred *unix.Ucred, access shm.Access) error {
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
	return fmt.Errorf("%w: it is of user %d, not of this one (%d)", ErrOtherUser, cred.Uid, os.Geteuid())
}
