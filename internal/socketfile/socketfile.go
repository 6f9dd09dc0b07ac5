// Package socketfile decides where the socket file of a transfer may be, and whether a process
// listens at one. It is what transfer does, and what gauge asks before anything goes wrong.
package socketfile

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Network is the kind of socket: SOCK_SEQPACKET, which is connected, keeps the order and the
// borders of packets.
const Network = "unixpacket"

// MaxPath is the longest path that fits into a sockaddr_un, bytes, without its last zero.
const MaxPath = 107

// SharedError is a directory in which another user could put a socket in the place of this
// user's.
type SharedError struct {
	Dir    string
	Reason string // after the path: has uid 5, want 7 or 0
}

// Error names the directory and the reason.
func (e *SharedError) Error() string { return e.Dir + " " + e.Reason }

// CheckDir reports why the sockets of user uid may not be in dir, nil when they may. dir has to
// belong to that user or to root, because an owner may remove and rename whatever is in it; and
// nobody else may write to it, unless its sticky bit is set (as in /tmp): then others can add
// files, but not replace a socket.
//
// The error is a [SharedError], or an [os.PathError] of a dir that does not exist
// (os.ErrNotExist), is none (unix.ENOTDIR) or cannot be asked for.
func CheckDir(dir string, uid int) error {
	var st unix.Stat_t
	err := unix.Stat(dir, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = unix.ENOTDIR
	}
	switch {
	case err != nil:
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	case int(st.Uid) != uid && st.Uid != 0:
		return &SharedError{dir, fmt.Sprintf("has uid %d, want %d or 0", st.Uid, uid)}
	case st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0:
		return &SharedError{dir, fmt.Sprintf("is writable by others (mode %04o)", st.Mode&0o7777)}
	}
	return nil
}

// Listening reports whether a process listens at the socket at path, by connecting to it. The
// error is for a path that cannot be connected to for another reason than that none does.
func Listening(path string) (bool, error) {
	conn, err := net.DialUnix(Network, nil, &net.UnixAddr{Name: path, Net: Network})
	switch {
	case err == nil:
		conn.Close()
		return true, nil
	case errors.Is(err, unix.ECONNREFUSED):
		return false, nil
	}
	return false, err
}
