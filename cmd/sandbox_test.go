package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/layout"
	"sluice/shm"
)

// startRefused starts a command to which the kernel refuses what the rules say.
func startRefused(t *testing.T, errno unix.Errno, rules []seccomp.Rule, name string, args ...string) (p *proc) {
	t.Helper()
	var startErr error
	err := seccomp.Under(errno, func() {
		p, startErr = startCommand(t, exec.Command(filepath.Join(bin, name), args...), run{Start: (*exec.Cmd).Start})
	}, rules...)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	if startErr != nil {
		t.Fatal(startErr)
	}
	return p
}

// What the kernel is made to refuse, and what the errors call it.
var forbidden = map[string]seccomp.Rule{
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
	"chmod":                   seccomp.Call(unix.SYS_FCHMODAT),
}

// refusesOf expects an error that names the call, and the hint that a sandbox forbids it,
// whatever that answers.
func refusesOf(t *testing.T, call, name string, args ...string) {
	t.Helper()
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		p := startRefused(t, errno, []seccomp.Rule{forbidden[call]}, args[0], args[1:]...)
		p.refuses(1, call, "sandbox", "gauge doctor")
		if !strings.Contains(p.stderr.String(), name) && call != "epoll_create1" && call != "eventfd2" {
			t.Errorf("%s does not name its segment:\n%s", call, p.stderr.String())
		}
	}
}

// A consumer that a sandbox keeps from its work costs no message, and is no consumer that
// died: the next one gets all.
func TestWhatASandboxForbidsIsNamedAndNothingIsLost(t *testing.T) {
	for mode, calls := range map[string]struct{ producer, consumer []string }{
		"ring": {
			producer: []string{"open(O_TMPFILE)", "fallocate", "mmap", "fcntl(F_OFD_SETLK)", "link", "futex wake", "epoll_create1", "eventfd2"},
			consumer: []string{"mmap", "fcntl(F_OFD_SETLK)", "fstat", "futex wake", "epoll_create1", "eventfd2"},
		},
		"transfer": {
			producer: []string{"memfd_create", "fcntl(F_ADD_SEALS)", "getsockopt(SO_PEERCRED)", "sendmsg", "recvfrom"},
			consumer: []string{"fcntl(F_GET_SEALS)", "getsockopt(SO_PEERCRED)", "recvmsg", "recvfrom", "socket", "bind", "listen", "accept4", "getsockname"},
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := segmentName(t)
			for _, call := range calls.producer {
				refusesOf(t, call, name, "producer", "--name", name, "--mode", mode, "--count", "1")
				gone(t, name)
			}
			p := start(t, "producer", "--name", name, "--mode", mode, "--count", "500", "--keep")
			eventually(t, name, "500 messages", func(h *layout.Header) bool { return h.Producer.Count.Load() == 500 })
			for _, call := range calls.consumer {
				refusesOf(t, call, name, "consumer", "--name", name)
			}
			c := start(t, "consumer", "--name", name, "--verify")
			c.ends(0)
			p.ends(0)
			if said := c.stderr.String(); !strings.Contains(said, "verified 500 messages") {
				t.Errorf("the consumer says:\n%s", said)
			}
			os.Remove(shm.Path(name))
		})
	}
}

// A courier that a sandbox stops later says why, and not that no consumer was there.
func TestASandboxWithoutConnect(t *testing.T) {
	name := segmentName(t)
	p := startRefused(t, unix.EPERM, []seccomp.Rule{forbidden["connect"]}, "producer", "--name", name, "--mode", "transfer", "--rate", "1000")
	p.refuses(1, name, "connect: operation not permitted", "sandbox", "gauge doctor")
	if line, _, _ := complaint(p.stderr.String()); strings.Contains(line, "no consumer was there") {
		t.Errorf("it says:\n%s", line)
	}
}
