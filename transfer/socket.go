package transfer

import (
	"cmp"
	"context"
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

// socket is what a Receiver listens at.
type socket struct {
	listener *net.UnixListener
	path     string // absolute; "" = none that could be looked up
	file     unix.Stat_t
	own      bool // made here, so removed here
	mkdir    bool // its directory may be made
}

// listen makes the socket, for its owner alone, or for a group as well. One that is there is
// replaced when nobody listens to it any more: os.ErrExist when it is something else, and
// ErrRoleTaken when somebody does. mkdir makes the directory if it is missing.
func listen(path string, access shm.Access, mkdir bool) (*socket, error) {
	if err := ownDirectory(filepath.Dir(path), mkdir); err != nil {
		return nil, err
	}
	l, err := bind(path)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, err
		}
		l, err = bind(path)
	}
	if err != nil {
		return nil, err
	}
	s := &socket{listener: l, own: true, mkdir: mkdir}
	if err := permit(path, access); err != nil {
		l.Close()
		return nil, err
	}
	s.find(path)
	return s, nil
}

// bind is net.ListenUnix, which faults where the kernel does not tell the address of a
// socket.
func bind(path string) (*net.UnixListener, error) {
	named := func(_, _ string, conn syscall.RawConn) error {
		var nameErr error
		err := conn.Control(func(fd uintptr) { _, nameErr = unix.Getsockname(int(fd)) })
		return cmp.Or(err, os.NewSyscallError("getsockname", nameErr))
	}
	l, err := (&net.ListenConfig{Control: named}).Listen(context.Background(), network, path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// inherited is a socket that somebody else has made.
func inherited(l *net.UnixListener) *socket {
	s := &socket{listener: l}
	l.SetUnlinkOnClose(false)
	if path := l.Addr().String(); filepath.IsAbs(path) {
		s.find(path)
	}
	return s
}

// find notes what stands at path now.
func (s *socket) find(path string) {
	path, err := filepath.Abs(path)
	if err == nil && unix.Lstat(path, &s.file) == nil {
		s.path = path
	}
}

// lost reports whether the path does not lead to the socket any more, so that nobody
// can connect. there says that something else stands in its place.
func (s *socket) lost() (lost, there bool) {
	var now unix.Stat_t
	if s.path == "" {
		return false, false
	}
	switch err := unix.Lstat(s.path, &now); {
	case err == unix.ENOENT || err == unix.ENOTDIR:
		return true, false
	case err != nil:
		return false, false // who may not look does not know
	}
	other := now.Ino != s.file.Ino || now.Dev != s.file.Dev
	return other, other
}

// waiting reports whether a connection may be waiting to be accepted.
func (s *socket) waiting() bool {
	some := 0
	err := control(s.listener, func(fd int) (err error) {
		some, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err
	})
	return some > 0 || err != nil
}

// close closes it, and removes it where it was made here and still stands.
func (s *socket) close() error {
	if lost, _ := s.lost(); lost {
		s.listener.SetUnlinkOnClose(false)
	}
	return s.listener.Close()
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

// ownDirectory makes the directory if it is missing and mkdir says so, for this user
// alone; else that is ErrNoDirectory. One that is there has to belong to this user or to
// root, because an owner may remove and rename whatever is in it; and nobody else may write to it, unless its sticky bit
// is set (as in /tmp): then others can add files, but not replace a socket. A
// replaced socket could also be a link to a file of this user, whose mode [permit]
// would then set.
func ownDirectory(dir string, mkdir bool) error {
	var st unix.Stat_t
	err := unix.Stat(dir, &st)
	if err == unix.ENOENT && mkdir {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("directory of the socket: %w", err)
		}
		err = unix.Stat(dir, &st)
	}
	switch {
	case err == unix.ENOENT:
		return fmt.Errorf("%w: %s", ErrNoDirectory, dir)
	case err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR:
		err = unix.ENOTDIR
	}
	if err != nil {
		return fmt.Errorf("directory of the socket: %w", &os.PathError{Op: "stat", Path: dir, Err: err})
	}
	switch {
	case int(st.Uid) != os.Geteuid() && st.Uid != 0:
		return fmt.Errorf("%w: %s belongs to user %d, not to this one (%d)", ErrSharedDirectory, dir, st.Uid, os.Geteuid())
	case st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0:
		return fmt.Errorf("%w: others may write to %s (mode %04o)", ErrSharedDirectory, dir, st.Mode&0o7777)
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
		return fmt.Errorf("%w: somebody listens at %s", ErrSocketTaken, path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("ask whether somebody listens there: %w", err)
	}
	return os.Remove(path)
}

// rawConn is a socket for sendmsg(2) and recvmsg(2) under the runtime's poller.
type rawConn struct{ syscall.RawConn }

func newRawConn(conn *net.UnixConn) (rawConn, error) {
	raw, err := conn.SyscallConn()
	return rawConn{raw}, err
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

// disconnected reports whether err says that the peer has left.
func disconnected(err error) bool {
	for _, e := range []unix.Errno{unix.EPIPE, unix.ECONNRESET, unix.ENOTCONN, unix.ECONNREFUSED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pollInterval is the longest wait without a look at the world: the peer's life, the
// context, the file.
const pollInterval = 100 * time.Millisecond
