package doctor

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// roleLocks checks that the kernel knows who is there. Without that, two producers
// could write to one ring, and nobody would notice a death.
func roleLocks(m *machine) Finding {
	if f, none := noPlace(m); none {
		return f
	}
	err := m.lock(m.dir)
	switch {
	case err == nil:
		return fine("work in /dev/shm: the kernel keeps roles apart and says which side lives")
	case errors.Is(err, unix.ENOSPC):
		return note("make room first", "not to be tried while /dev/shm is full")
	case errors.Is(err, fs.ErrNotExist): // which unnamedFiles calls a problem
		return note("mount /proc first", "not to be tried: %v", err)
	}
	return problem("Linux 3.15 or newer with a tmpfs on /dev/shm; a sandbox in place of Linux (gVisor, WSL 1) may be too old",
		"no role can be taken: %v", err)
}

var errLock = errors.New("a lock was granted twice, or not seen by others")

// lockTwice locks a byte of an unnamed file in dir, and looks whether somebody else
// who opened it sees that, until the lock is gone.
func lockTwice(dir string) error {
	fd, err := openUnnamed(dir)
	if err != nil {
		return err
	}
	one := os.NewFile(uintptr(fd), "one")
	defer one.Close()
	other, err := os.OpenFile(proc(fd), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer other.Close()
	if err := setLock(one); err != nil {
		return &fs.PathError{Op: "fcntl(F_OFD_SETLK)", Path: dir, Err: err}
	}
	seen := unix.Flock_t{Type: unix.F_WRLCK, Len: 1}
	if err := unix.FcntlFlock(other.Fd(), unix.F_OFD_GETLK, &seen); err != nil {
		return &fs.PathError{Op: "fcntl(F_OFD_GETLK)", Path: dir, Err: err}
	}
	if seen.Type != unix.F_WRLCK || setLock(other) != unix.EAGAIN {
		return errLock
	}
	if err := one.Close(); err != nil {
		return err
	}
	if setLock(other) != nil {
		return errors.New("a lock outlives its holder")
	}
	return nil
}

func setLock(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: 1})
}
