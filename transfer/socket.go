package transfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/socketfile"
)

const (
	network = socketfile.Network
	maxPath = socketfile.MaxPath
)

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
	if len(path) > maxPath {
		return "", fmt.Errorf("socket %s: %w: it has %d bytes, at most %d fit", path, unix.ENAMETOOLONG, len(path), maxPath)
	}
	return path, nil
}

// control calls fn with the descriptor of a connection or a listener.
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

// disconnected reports whether err says that the peer has left.
func disconnected(err error) bool {
	for _, e := range []unix.Errno{unix.EPIPE, unix.ECONNRESET, unix.ENOTCONN, unix.ECONNREFUSED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pollInterval is the longest wait without a check of what wakes nobody: whether the peer
// lives, the context, the file.
const pollInterval = 100 * time.Millisecond

// peek looks at what a socket has to be read, and leaves it there.
func peek(fd int) (n int, err error) {
	var one [1]byte
	for {
		if n, _, err = unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT); err != unix.EINTR {
			return n, err
		}
	}
}
