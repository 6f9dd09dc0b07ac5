package shm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// ErrRoleTaken is for a role that a live process holds.
var ErrRoleTaken = errors.New("role is taken")

// Role locks are open-file-description locks on single bytes of the segment
// file: byte 0 for the producer, byte 1 for the consumer, byte 2 for the door.
// The kernel drops them with the last descriptor, however the process ends, so
// a lock says "alive" where a pid (reused, or of another namespace) cannot.
//
// The door is held for a few system calls by whoever comes or goes. It keeps
// "I am the last one, I remove the file" and "I have opened it, I take a role"
// from crossing.
const joinLockByte = 2

// tryLock takes the lock on one byte of f without waiting; false when another
// open file description holds it.
func tryLock(f *os.File, at int64) (bool, error) {
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

func unlock(f *os.File, at int64) error {
	lk := unix.Flock_t{Type: unix.F_UNLCK, Start: at, Len: 1}
	return os.NewSyscallError("fcntl(F_OFD_SETLK)", unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk))
}

// locked reports whether another open file description holds the byte. It
// takes nothing, so observers may call it at any time.
func locked(f *os.File, at int64) (bool, error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk); err != nil {
		return false, fmt.Errorf("query lock of byte %d: %w", at, os.NewSyscallError("fcntl(F_OFD_GETLK)", err))
	}
	return lk.Type != unix.F_UNLCK, nil
}

// throughDoor runs fn while it holds the door. Somebody else holds it for
// microseconds; a process stopped in there is waited for until ctx is done.
func withJoinLock(ctx context.Context, f *os.File, fn func() error) error {
	for {
		ok, err := tryLock(f, joinLockByte)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a process that is joining or leaving: %w", context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
	defer unlock(f, joinLockByte)
	return fn()
}

// takeRole locks role r in f, or returns ErrRoleTaken.
func takeRole(f *os.File, r layout.Role) error {
	ok, err := tryLock(f, int64(r))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: a live process is its %v", ErrRoleTaken, r)
	}
	return nil
}
