package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// sockets checks that descriptors can be handed over.
func sockets(m *machine) Finding {
	if err := m.pass(); err != nil {
		return problem("use --mode ring; or let the container's profile allow socketpair, socket and sendmsg with SCM_RIGHTS", "no transfer mode: %v", err)
	}
	const says = "a SOCK_SEQPACKET socket carries descriptors"
	if n := m.read("/proc/sys/net/unix/max_dgram_qlen"); n != "" {
		return fine("%s; it holds %s packets of up to 64 (net.unix.max_dgram_qlen), the producer keeps the rest", says, n)
	}
	return fine(says)
}

// passDescriptor sends an end of a socket through the socket, and looks at who sent it.
func passDescriptor() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair(SOCK_SEQPACKET)", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(pair[0]), nil, unix.MSG_NOSIGNAL); err != nil {
		return os.NewSyscallError("sendmsg(SCM_RIGHTS)", err)
	}
	text, rights := make([]byte, 8), make([]byte, unix.CmsgSpace(4))
	_, n, flags, _, err := unix.Recvmsg(pair[1], text, rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 || flags&unix.MSG_CTRUNC != 0 {
		return errors.New("a descriptor was lost on the way")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	for _, fd := range fds {
		unix.Close(fd)
	}
	if err != nil || len(fds) != 1 {
		return errors.New("a descriptor was lost on the way")
	}
	peer, err := unix.GetsockoptUcred(pair[1], unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err == nil && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("the kernel takes this user (%d) for user %d", os.Geteuid(), peer.Uid)
	}
	return os.NewSyscallError("getsockopt(SO_PEERCRED)", err)
}

// longestPath is what the address of a socket has room for.
const longestPath = 107

// socketPath checks that both sides of a transfer find one place, that nobody else
// may put a socket in.
func socketPath(m *machine) Finding {
	dir := filepath.Dir(m.socket("demo"))
	const elsewhere = "or give both sides the same --socket PATH in a directory of this user's"
	if err := m.private(dir); err != nil {
		return problem("make it this user's own (chown, chmod 700), "+elsewhere, "no place for the socket: %v", err)
	}
	if longest := m.socket(fmt.Sprintf("%064d", 0)); len(longest) > longestPath {
		return note("a shorter XDG_RUNTIME_DIR, "+elsewhere, "%s is long: names of at most %d characters fit, not 64", dir, 64-(len(longest)-longestPath))
	}
	// A service, cron or sudo has no such variable.
	own := fmt.Sprintf("/run/user/%d", m.uid)
	if set := m.env("XDG_RUNTIME_DIR"); set != "" && filepath.Dir(dir) == filepath.Clean(set) && filepath.Clean(set) != own {
		return note("set it for both sides, "+elsewhere, "%s/NAME.sock, from XDG_RUNTIME_DIR: a side without that variable (cron, sudo, a service) looks elsewhere", dir)
	}
	return fine("%s/NAME.sock, for this user alone", dir)
}

// private reports why dir may not be used as transfer.Open and Create would use it, or
// made.
func (m *machine) private(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		// Not dir itself: a consumer may be about to use it.
		try, err := os.MkdirTemp(filepath.Dir(dir), ".sluice-doctor-")
		if path := new(fs.PathError); errors.As(err, &path) {
			return &fs.PathError{Op: "make", Path: dir, Err: path.Err}
		}
		if err != nil {
			return err
		}
		return os.Remove(try)
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	others := info.Mode().Perm()&0o022 != 0
	mine := ok && int(st.Uid) == m.uid && !others
	shared := ok && st.Uid == 0 && (!others || info.Mode()&fs.ModeSticky != 0)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case !mine && !shared && others:
		return fmt.Errorf("others may write to %s (mode %04o)", dir, mode(info))
	case !mine && !shared:
		return fmt.Errorf("%s belongs to user %d, not to this one (%d)", dir, st.Uid, m.uid)
	}
	if err := m.mayWrite(dir); err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}
