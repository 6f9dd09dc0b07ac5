package testenv

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
)

// Calls are system calls that a sandbox may refuse, by what the errors call them.
var Calls = map[string]seccomp.Rule{
	"open(O_TMPFILE)":         seccomp.CallWithBits(unix.SYS_OPENAT, 3, unix.O_TMPFILE, unix.O_TMPFILE),
	"fallocate":               seccomp.Call(unix.SYS_FALLOCATE),
	"mmap":                    seccomp.CallWithBits(unix.SYS_MMAP, 4, unix.MAP_SHARED|unix.MAP_ANONYMOUS, unix.MAP_SHARED),
	"fcntl(F_OFD_SETLK)":      seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_SETLK),
	"fcntl(F_OFD_GETLK)":      seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_GETLK),
	"link":                    seccomp.Call(unix.SYS_LINKAT),
	"fstat":                   seccomp.Call(unix.SYS_FSTAT),
	"futex wake":              seccomp.CallWith(unix.SYS_FUTEX, 2, 1), // not the private one of the runtime
	"epoll_create1":           seccomp.Call(unix.SYS_EPOLL_CREATE1),
	"eventfd2":                seccomp.Call(unix.SYS_EVENTFD2),
	"membarrier":              seccomp.Call(unix.SYS_MEMBARRIER),
	"memfd_create":            seccomp.Call(unix.SYS_MEMFD_CREATE),
	"fcntl(F_ADD_SEALS)":      seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_ADD_SEALS),
	"fcntl(F_GET_SEALS)":      seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_GET_SEALS),
	"getsockopt(SO_PEERCRED)": seccomp.CallWith(unix.SYS_GETSOCKOPT, 3, unix.SO_PEERCRED),
	"socket":                  seccomp.Call(unix.SYS_SOCKET),
	"connect":                 seccomp.Call(unix.SYS_CONNECT),
	"bind":                    seccomp.Call(unix.SYS_BIND),
	"listen":                  seccomp.Call(unix.SYS_LISTEN),
	"accept4":                 seccomp.Call(unix.SYS_ACCEPT4),
	"getsockname":             seccomp.Call(unix.SYS_GETSOCKNAME),
	"sendmsg":                 seccomp.Call(unix.SYS_SENDMSG),
	"recvmsg":                 seccomp.Call(unix.SYS_RECVMSG),
	"recvfrom":                seccomp.Call(unix.SYS_RECVFROM),
}

// StartSandboxed starts a command to which the kernel answers those calls with errno. It
// skips the test where there can be no sandbox.
func StartSandboxed(t testing.TB, errno unix.Errno, rules []seccomp.Rule, command string, args ...string) (p *Process) {
	t.Helper()
	var startErr error
	err := seccomp.Under(errno, func() {
		// On this thread, which alone has the filter.
		p, startErr = StartCommand(t, exec.Command(Command(command), args...), Options{Start: (*exec.Cmd).Start})
	}, rules...)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	if startErr != nil {
		t.Fatal(startErr)
	}
	return p
}
