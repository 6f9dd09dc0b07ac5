package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/internal/socketfile"
	"sluice/shm"
)

// listenSocket is the socket at which a Receiver listens. The acceptor that it is given to owns it.
type listenSocket struct {
	listener *net.UnixListener
	path     string      // absolute; "" = none that could be looked up
	file     unix.Stat_t // what stands there
	own      bool        // made here, so removed here
	mkdir    bool        // its directory may be made
}

// listen makes the socket, for its owner alone, or for a group as well. One that is there is
// replaced when nobody listens to it any more: os.ErrExist when it is something else, and
// ErrRoleTaken when somebody does. mkdir makes the directory if it is missing.
func listen(path string, access shm.Access, mkdir bool) (*listenSocket, error) {
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
	s := &listenSocket{listener: l, own: true, mkdir: mkdir}
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
func inherited(l *net.UnixListener) *listenSocket {
	s := &listenSocket{listener: l}
	l.SetUnlinkOnClose(false)
	if path := l.Addr().String(); filepath.IsAbs(path) {
		s.find(path)
	}
	return s
}

// find notes what stands at path now.
func (s *listenSocket) find(path string) {
	path, err := filepath.Abs(path)
	if err == nil && unix.Lstat(path, &s.file) == nil {
		s.path = path
	}
}

// lost reports whether the path does not lead to the socket any more, so that nobody
// can connect. there says that something else stands in its place.
func (s *listenSocket) lost() (lost, there bool) {
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
func (s *listenSocket) waiting() bool {
	some := 0
	err := control(s.listener, func(fd int) (err error) {
		some, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err
	})
	return some > 0 || err != nil
}

// close closes it, and removes it where it was made here and still stands.
func (s *listenSocket) close() error {
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

// ownDirectory makes the directory if it is missing and mkdir says so, for this user alone; else
// that is ErrNoDirectory. In one that others may change ([socketfile.CheckDir]), a socket could be
// replaced by a link to a file of this user, whose mode [permit] would then set.
func ownDirectory(dir string, mkdir bool) error {
	err := socketfile.CheckDir(dir, os.Geteuid())
	if mkdir && errors.Is(err, os.ErrNotExist) {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("directory of the socket: %w", err)
		}
		err = socketfile.CheckDir(dir, os.Geteuid())
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrNoDirectory, dir)
	case errors.As(err, new(*socketfile.SharedError)):
		return fmt.Errorf("%w: %w", ErrSharedDirectory, err)
	}
	return fmt.Errorf("directory of the socket: %w", err)
}

// CheckSocket returns why a consumer of this user cannot listen at path, as far as the file system
// tells, nil if it knows of no reason: [ErrNoDirectory], [ErrSharedDirectory], the [ErrPeer] of a
// file that is no socket, unix.ENAMETOOLONG, unix.ENOTDIR, or what else forbids a look. A consumer
// that opens a segment finds all of it out, but only then, and a producer only that nobody listens.
//
// path is not that of [SocketPath], whose directory the consumer makes.
func CheckSocket(path string) error {
	if _, err := resolve(path, ""); err != nil {
		return err
	}
	if err := ownDirectory(filepath.Dir(path), false); err != nil {
		return err
	}
	if err := isSocket(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// isSocket returns an ErrPeer if something else than a socket is at path.
func isSocket(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != os.ModeSocket {
		err = fmt.Errorf("%w: %s exists and is not a socket", ErrPeer, path)
	}
	return err
}

// removeStale removes a socket at which no process listens.
func removeStale(path string) error {
	if err := isSocket(path); err != nil {
		return err
	}
	switch listening, err := socketfile.Listening(path); {
	case err != nil:
		return fmt.Errorf("find out whether a process listens there: %w", err)
	case listening:
		return fmt.Errorf("%w: a process listens at %s", ErrSocketTaken, path)
	}
	return os.Remove(path)
}
