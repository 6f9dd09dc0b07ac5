package transfer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

const network = "unixpacket" // SOCK_SEQPACKET: connected, in order, with borders

// longestPath is what sockaddr_un has room for, without the last zero.
const longestPath = 107

// SocketPath returns where the consumer of segment name listens by default: under
// $XDG_RUNTIME_DIR, else in the user's /run/user, else in the user's own directory
// in /tmp.
func SocketPath(name string) string {
	uid := strconv.Itoa(os.Geteuid())
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), filepath.Join("/run/user", uid)} {
		if info, err := os.Stat(dir); dir != "" && err == nil && info.IsDir() {
			return filepath.Join(dir, "sluice", name+".sock")
		}
	}
	return filepath.Join("/tmp", "sluice-"+uid, name+".sock")
}

// resolve returns the path to use.
func resolve(path, name string) (string, error) {
	if path == "" {
		path = SocketPath(name)
	}
	if len(path) > longestPath {
		return "", fmt.Errorf("socket %s: %w: it has %d bytes, at most %d fit", path, unix.ENAMETOOLONG, len(path), longestPath)
	}
	return path, nil
}

// listen makes the socket, for its owner alone, or for a group as well. One that is there is replaced when
// nobody listens to it any more: os.ErrExist when it is something else, and
// ErrRoleTaken when somebody does.
func listen(path string, access shm.Access) (*net.UnixListener, error) {
	if err := ownDirectory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	addr := &net.UnixAddr{Name: path, Net: network}
	l, err := net.ListenUnix(network, addr)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		l, err = net.ListenUnix(network, addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := permit(path, access); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// permit sets who may connect.
func permit(path string, access shm.Access) error {
	gid, shared := access.Group()
	if !shared {
		return os.Chmod(path, 0o600)
	}
	if err := os.Lchown(path, -1, gid); err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// closeListener closes an inherited socket that came to nothing.
func closeListener(l *net.UnixListener) {
	if l != nil {
		l.Close()
	}
}

// ownDirectory makes the directory if it is missing, for this user alone. One that
// is there has to be his, or one in which nobody can take another's place (the
// sticky bit of /tmp).
func ownDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("directory of the socket: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	mine := int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
	shared := st.Uid == 0 && (st.Mode&0o022 == 0 || st.Mode&unix.S_ISVTX != 0)
	if !mine && !shared {
		return fmt.Errorf("%w: others may write to %s", ErrPeer, dir)
	}
	return nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%w: %s is there and is no socket", ErrPeer, path)
	}
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
	if err == nil {
		conn.Close()
		return fmt.Errorf("%w: somebody listens at %s", ErrRoleTaken, path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("socket %s is in use: %w", path, err)
	}
	return os.Remove(path)
}

func control(conn syscall.Conn, fn func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	return errors.Join(raw.Control(func(fd uintptr) { inner = fn(int(fd)) }), inner)
}

// timedOut reports whether err is a deadline that has passed.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// gone reports whether err says that the peer has left.
func gone(err error) bool {
	for _, e := range []unix.Errno{unix.EPIPE, unix.ECONNRESET, unix.ENOTCONN, unix.ECONNREFUSED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// slice is the longest wait without a look at the world: the peer's life, the
// context, the file.
const slice = 100 * time.Millisecond
