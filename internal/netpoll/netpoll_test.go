package netpoll

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// open returns how many descriptors this process has.
func open(t *testing.T) int {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// with sets how many descriptors there may be while fn runs.
func with(t *testing.T, n uint64, fn func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	fn()
}

// It is an error without a descriptor or with too few, and works afterwards; nothing stays open.
func TestStart_OutOfDescriptors(t *testing.T) {
	r, w, err := os.Pipe() // the runtime's own poller is started by now
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	started = false // by this test, when it is run more than once
	before := open(t)
	highest, err := unix.Dup(0) // those below are in use
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(highest)
	for free := range 3 {
		with(t, uint64(highest+free), func() {
			if err := Start(); !errors.Is(err, unix.EMFILE) {
				t.Errorf("with %d descriptors: %v, want EMFILE", free, err)
			}
		})
	}
	if err := Start(); err != nil {
		t.Error(err)
	}
	with(t, uint64(highest), func() {
		if err := Start(); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
	if n := open(t); n != before {
		t.Errorf("%d descriptors are open, %d before", n, before)
	}
}
