package transfer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/layout"
	"sluice/shm"
)

// refusals are what sandboxes and old kernels answer to a call that they do not allow or
// know.
var refusals = []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL}

// under runs fn where the kernel refuses a call.
func under(t *testing.T, errno unix.Errno, rule seccomp.Rule, fn func()) {
	t.Helper()
	if err := seccomp.Under(errno, fn, rule); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
}

// namesCall expects an error that names the call, and takes it for nothing else.
func namesCall(t *testing.T, err error, errno unix.Errno, call string) {
	t.Helper()
	if !errors.Is(err, errno) || !strings.Contains(err.Error(), call) {
		t.Errorf("%v: want %v of %s", err, errno, call)
	}
	for _, other := range []error{layout.ErrCorrupt, ErrRoleTaken, ErrPeer, ErrDescriptors, ErrElsewhere, ErrUndelivered, shm.ErrNoSpace} {
		if errors.Is(err, other) {
			t.Errorf("%v: it is also %q", err, other)
		}
	}
}

var (
	getSeals = seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_GET_SEALS)
	addSeals = seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_ADD_SEALS)
	peerCred = seccomp.CallWith(unix.SYS_GETSOCKOPT, 3, unix.SO_PEERCRED)
)

// Nothing has been promised yet: no message is accepted that would be lost.
func TestCreate_RefusedCall_Error(t *testing.T) {
	for _, row := range []struct {
		call string
		rule seccomp.Rule
		opt  endOptions
	}{
		{"memfd_create", seccomp.Call(unix.SYS_MEMFD_CREATE), endOptions{}},
		{"memfd_create", seccomp.Call(unix.SYS_MEMFD_CREATE), endOptions{Recycle: true}},
		{"pwrite", seccomp.Call(unix.SYS_PWRITE64), endOptions{}},
		{"fcntl(F_ADD_SEALS)", addSeals, endOptions{}},
		{"fallocate", seccomp.CallWith(unix.SYS_FALLOCATE, 4, uint32(pageSize)), endOptions{Recycle: true}}, // not that of the segment
		{"mmap", seccomp.CallWith(unix.SYS_MMAP, 2, uint32(pageSize)), endOptions{Recycle: true}},
		{"getsockopt(SO_PEERCRED)", peerCred, endOptions{}},
		{"sendmsg", seccomp.Call(unix.SYS_SENDMSG), endOptions{}},
		{"recvfrom", seccomp.Call(unix.SYS_RECVFROM), endOptions{}},
	} {
		for _, errno := range refusals {
			name, opt := place(t)
			opt.Recycle = row.opt.Recycle
			var err error
			under(t, errno, row.rule, func() {
				s, createErr := Create(t.Context(), name, opt.sender())
				if err = createErr; err == nil {
					s.Abort()
				}
			})
			namesCall(t, err, errno, row.call)
			if _, err := os.Lstat(shm.Path(name)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: a segment is left (%v)", row.call, err)
			}
		}
	}
}

func TestOpen_RefusedCall_Error(t *testing.T) {
	for _, row := range []struct {
		call string
		rule seccomp.Rule
	}{
		{"fcntl(F_GET_SEALS)", getSeals}, // or a healthy buffer would seem to have none
		{"pread", seccomp.Call(unix.SYS_PREAD64)},
		{"getsockopt(SO_PEERCRED)", peerCred},
		{"recvmsg", seccomp.Call(unix.SYS_RECVMSG)},
		{"recvfrom", seccomp.Call(unix.SYS_RECVFROM)},
		{"socket", seccomp.Call(unix.SYS_SOCKET)},
		{"getsockname", seccomp.Call(unix.SYS_GETSOCKNAME)}, // with a fault, by net.ListenUnix
		{"bind", seccomp.Call(unix.SYS_BIND)},
		{"listen", seccomp.Call(unix.SYS_LISTEN)},
		{"chmod", seccomp.Call(unix.SYS_FCHMODAT)},
		{"mkdir", seccomp.Call(unix.SYS_MKDIRAT)},
	} {
		for _, errno := range refusals {
			name, opt := place(t)
			t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(opt.Socket)) // where the directory is missing
			opt.Socket = ""
			s := create(t, name, opt)
			var err error
			under(t, errno, row.rule, func() {
				r, openErr := Open(t.Context(), name, opt.receiver())
				if err = openErr; err == nil {
					r.Close()
				}
			})
			namesCall(t, err, errno, row.call)
			if s.peer.Generation.Load() != 0 {
				t.Errorf("%s: a consumer that was refused was one", row.call)
			}
		}
	}
}

func TestRefusedCall_NotNeeded_NoError(t *testing.T) {
	refused := func(fn func(), rules ...seccomp.Rule) {
		t.Helper()
		if err := seccomp.Under(unix.EPERM, fn, rules...); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: %v", err)
		}
	}
	socketPair := seccomp.Call(unix.SYS_SOCKETPAIR)
	name, opt := place(t)
	var s *Sender
	var r *Receiver
	var err, openErr error
	refused(func() { s, err = Create(t.Context(), name, opt.sender()) }, getSeals, socketPair, seccomp.Call(unix.SYS_RECVMSG), seccomp.Call(unix.SYS_LISTEN))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abort()
	refused(func() { r, openErr = Open(t.Context(), name, opt.receiver()) }, seccomp.Call(unix.SYS_MEMFD_CREATE), addSeals, socketPair, seccomp.Call(unix.SYS_SENDMSG))
	if openErr != nil {
		t.Fatal(openErr)
	}
	defer r.Close()
	send(t, s, "through")
	wantMessages(t, r, "through")
}

// What the send loop finds later ends it, with the call's name.
func TestSendLoop_RefusedCall_Error(t *testing.T) {
	for _, errno := range refusals {
		name, opt := place(t)
		s, err := newSender(t.Context(), name, opt.sender())
		if err != nil {
			t.Fatal(err)
		}
		r := open(t, name, opt)
		for _, row := range []struct {
			call string
			rule seccomp.Rule
		}{
			{"socket", seccomp.Call(unix.SYS_SOCKET)},
			{"connect", seccomp.Call(unix.SYS_CONNECT)},
			{"getsockopt(SO_PEERCRED)", peerCred},
			{"sendmsg", seccomp.Call(unix.SYS_SENDMSG)},
		} {
			s.loop.disconnect()
			s.loop.dialer.deniedSince = s.began.Add(-2 * helloTimeout) // a socket that is being made is given time
			under(t, errno, row.rule, func() { err = s.loop.connect() })
			namesCall(t, err, errno, row.call)
		}
		s.loop.disconnect()
		if err := s.loop.connect(); err != nil || s.loop.conn == nil {
			t.Fatalf("connected %v, %v", s.loop.conn != nil, err)
		}
		// Who may not look has not seen the consumer leave.
		left := false
		under(t, errno, seccomp.Call(unix.SYS_RECVFROM), func() { left, err = s.loop.conn.peerLeft() })
		namesCall(t, err, errno, "recvfrom")
		if left {
			t.Errorf("%v: the consumer is taken to have left", errno)
		}
		go s.loop.run()
		send(t, s, "a")
		wantMessages(t, r, "a")
		r.Close()
		s.Abort()
	}
}

// A Sender without a descriptor for its connection is not one without a consumer.
func TestSender_OutOfDescriptors_Reason(t *testing.T) {
	name, opt := place(t)
	s, err := newSender(t.Context(), name, opt.sender())
	if err != nil {
		t.Fatal(err)
	}
	open(t, name, opt)
	send(t, s, "a")
	s.loop.closing.Store(true)
	s.loop.stopWaiting()
	more := true
	under(t, unix.EMFILE, seccomp.Call(unix.SYS_SOCKET), func() { more, err = s.loop.step() })
	namesCall(t, err, unix.EMFILE, "socket")
	if more {
		t.Error("the send loop goes on")
	}
	s.loop.closing.Store(false)
	s.loop.giveUp = make(chan struct{})
	under(t, unix.EMFILE, seccomp.Call(unix.SYS_SOCKET), func() { more, err = s.loop.step() })
	if got := layout.RefuseReason(s.own.RefuseReason.Load()); got != layout.RefuseNoConnectionDescriptor || !more || err != nil {
		t.Errorf("%v, more %v, %v", got, more, err)
	}
	go s.loop.run()
	s.Abort()
}
