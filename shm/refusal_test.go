package shm

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/layout"
)

// refusals are what sandboxes and old kernels answer to a call that they do not allow or
// know. None of them says anything of a segment.
var refusals = []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL}

// A sandbox that refuses a call is no role that is taken, no segment that is not there
// yet, no full /dev/shm.
func TestRefusedCall_ErrorNamesIt(t *testing.T) {
	g := ring(t, 1<<16)
	create := func(t *testing.T, refuse func(func() error)) {
		refuse(func() error {
			s, err := Create(testenv.SegmentName(t), g, layout.Producer)
			if err == nil {
				s.Leave(remove)
			}
			return err
		})
	}
	open := func(t *testing.T, refuse func(func() error)) {
		name := abandoned(t)
		refuse(func() error {
			// It waits for a segment that is not there.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s, err := OpenWait(ctx, name, layout.Consumer)
			if err == nil {
				s.Leave(keep)
			}
			return err
		})
	}
	look := func(t *testing.T, refuse func(func() error)) {
		name := abandoned(t)
		refuse(func() error {
			v, err := OpenView(name)
			if err == nil {
				v.Close()
			}
			return err
		})
	}
	leaving := func(t *testing.T, refuse func(func() error)) {
		s := newSegment(t, testenv.SegmentName(t))
		refuse(func() error { _, err := s.Leave(remove); return err })
	}
	removing := func(t *testing.T, refuse func(func() error)) {
		name := abandoned(t)
		refuse(func() error { return Remove(t.Context(), name) })
	}
	mapped := seccomp.CallWithBits(unix.SYS_MMAP, 4, unix.MAP_SHARED|unix.MAP_ANONYMOUS, unix.MAP_SHARED)
	lock := seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_SETLK)
	for _, row := range []struct {
		what, names string
		try         func(t *testing.T, refuse func(func() error))
		rule        seccomp.Rule
	}{
		{"create", "open(O_TMPFILE)", create, seccomp.CallWithBits(unix.SYS_OPENAT, 3, unix.O_TMPFILE, unix.O_TMPFILE)},
		{"create", "fallocate", create, seccomp.Call(unix.SYS_FALLOCATE)},
		{"create", "mmap", create, mapped},
		{"create", "fcntl(F_OFD_SETLK)", create, lock},
		{"create", "link", create, seccomp.Call(unix.SYS_LINKAT)},
		{"open", "open", open, seccomp.CallWithBits(unix.SYS_OPENAT, 3, unix.O_RDWR, unix.O_RDWR)},
		{"open", "fstat", open, seccomp.Call(unix.SYS_FSTAT)},
		{"open", "mmap", open, mapped},
		{"open", "fcntl(F_OFD_SETLK)", open, lock},
		{"open", "lstat", open, seccomp.Call(unix.SYS_NEWFSTATAT)},
		{"look at", "fstat", look, seccomp.Call(unix.SYS_FSTAT)},
		{"look at", "mmap", look, mapped},
		{"leave", "fcntl(F_OFD_SETLK)", leaving, lock},
		{"leave", "lstat", leaving, seccomp.Call(unix.SYS_NEWFSTATAT)},
		{"leave", "remove", leaving, seccomp.Call(unix.SYS_UNLINKAT)},
		{"remove", "fcntl(F_OFD_SETLK)", removing, lock},
		{"remove", "lstat", removing, seccomp.Call(unix.SYS_NEWFSTATAT)},
	} {
		for _, errno := range refusals {
			t.Run(row.what+" without "+row.names+", "+unix.ErrnoName(errno), func(t *testing.T) {
				row.try(t, func(fn func() error) {
					var err error
					if filterErr := seccomp.Under(errno, func() { err = fn() }, row.rule); filterErr != nil {
						t.Skipf("SKIPPED, NOT TESTED: %v", filterErr)
					}
					if !errors.Is(err, errno) || !strings.Contains(err.Error(), row.names) || !strings.Contains(err.Error(), row.what+` segment "test.`) {
						t.Errorf("%v: want %v of %s", err, errno, row.names)
					}
					for _, other := range []error{ErrRoleTaken, ErrNoSpace, ErrUntrusted, ErrRemoved, ErrTruncated, fs.ErrNotExist, fs.ErrExist, layout.ErrCorrupt, layout.ErrNotSegment} {
						if errors.Is(err, other) {
							t.Errorf("%v: it is also %q", err, other)
						}
					}
				})
			})
		}
	}
}

// What cannot be asked for does not stand for a death, nor for a removal.
func TestRefusedCall_LockQuery_PeerUnknown(t *testing.T) {
	name := abandoned(t)
	producer, consumer := join(t, name, layout.Producer), join(t, name, layout.Consumer)
	for _, errno := range refusals {
		err := seccomp.Under(errno, func() {
			if producer.Absent(layout.Consumer) || consumer.Absent(layout.Producer) {
				t.Errorf("%v: a live side is taken for dead", errno)
			}
			if err := producer.Check(); err != nil {
				t.Errorf("%v: %v", errno, err)
			}
		}, seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_GETLK), seccomp.Call(unix.SYS_NEWFSTATAT), seccomp.Call(unix.SYS_FSTAT))
		if err != nil {
			t.Skipf("SKIPPED, NOT TESTED: %v", err)
		}
	}
}
