// Package ofdlock locks single bytes of a file with open-file-description locks, which the
// kernel drops with the last descriptor of the description, however the process ends:
// fcntl(2), F_OFD_SETLK and F_OFD_GETLK.
package ofdlock

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// TryLock takes the lock on one byte of f without waiting; false when another
// open file description holds it.
func TryLock(f *os.File, at int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk)
	if err == unix.EAGAIN { // of Linux; EACCES, which POSIX allows as well, is a sandbox's
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock byte %d: %w", at, os.NewSyscallError("fcntl(F_OFD_SETLK)", err))
	}
	return true, nil
}

// Unlock drops the lock on one byte of f.
func Unlock(f *os.File, at int64) error {
	lk := unix.Flock_t{Type: unix.F_UNLCK, Start: at, Len: 1}
	return os.NewSyscallError("fcntl(F_OFD_SETLK)", unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk))
}

// Held reports whether another open file description holds the byte. It
// takes nothing, so observers may call it at any time.
func Held(f *os.File, at int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk); err != nil {
		return false, fmt.Errorf("query lock of byte %d: %w", at, os.NewSyscallError("fcntl(F_OFD_GETLK)", err))
	}
	return lk.Type != unix.F_UNLCK, nil
}
