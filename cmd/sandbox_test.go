package cmd_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// refusesOf expects an error that names the call, and the hint that a sandbox forbids it,
// whatever that answers.
func refusesOf(t *testing.T, call, name string, args ...string) {
	t.Helper()
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		p := testenv.StartSandboxed(t, errno, []seccomp.Rule{testenv.Calls[call]}, args[0], args[1:]...)
		if p.Wait() == 127 && strings.Contains(p.Stderr.String(), "error while loading shared libraries") {
			t.Logf("NOT TESTED: %s is a call of the C library's loader: %s", call, p.Stderr.String())
			continue
		}
		p.WantError(1, call, "sandbox", "gauge doctor")
		if !strings.Contains(p.Stderr.String(), name) && call != "epoll_create1" && call != "eventfd2" {
			t.Errorf("%s does not name its segment:\n%s", call, p.Stderr.String())
		}
	}
}

// A consumer that a sandbox keeps from its work costs no message, and is no consumer that
// died: the next one gets all.
func TestSandbox_RefusedCall_NamedAndNothingLost(t *testing.T) {
	t.Parallel()
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
			name := testenv.SegmentName(t)
			for _, call := range calls.producer {
				refusesOf(t, call, name, "producer", "--name", name, "--mode", mode, "--count", "1")
				testenv.WantNoSegment(t, name)
			}
			p := testenv.Start(t, "producer", "--name", name, "--mode", mode, "--count", "500", "--keep")
			testenv.EventuallyHeader(t, name, "500 messages", func(h *layout.Header) bool { return h.Count(layout.Producer) == 500 })
			for _, call := range calls.consumer {
				refusesOf(t, call, name, "consumer", "--name", name)
			}
			c := testenv.Start(t, "consumer", "--name", name, "--verify")
			c.WantExit(0)
			p.WantExit(0)
			if said := c.Stderr.String(); !strings.Contains(said, "verified 500 messages") {
				t.Errorf("the consumer says:\n%s", said)
			}
			os.Remove(shm.Path(name))
		})
	}
}

// A send loop that a sandbox stops later says why, and not that no consumer was there.
func TestSandbox_NoConnect_ProducerNamesIt(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.StartSandboxed(t, unix.EPERM, []seccomp.Rule{testenv.Calls["connect"]}, "producer", "--name", name, "--mode", "transfer", "--rate", "1000")
	p.WantError(1, name, "connect: operation not permitted", "sandbox", "gauge doctor")
	if line, _, _ := testenv.ErrorAndHint(p.Stderr.String()); strings.Contains(line, "no consumer was there") {
		t.Errorf("it says:\n%s", line)
	}
}
