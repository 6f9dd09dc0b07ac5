package shm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sluice/internal/ofdlock"
	"sluice/layout"
)

// ErrRoleTaken is for a role that a live process holds.
var ErrRoleTaken = errors.New("role is taken")

// A role is held by an open-file-description lock on a byte of the segment file: byte 0 for the
// producer, byte 1 for the consumer. The kernel drops it with the last descriptor, however the
// process ends, so it says that a process lives, which a pid (reused, or of another namespace)
// cannot.
//
// The join lock is byte 2. A process holds it for a few system calls while it joins or leaves,
// so that "I am the last one, I remove the file" and "I have opened it, I take a role" exclude
// each other.
const joinLockByte = 2

// withJoinLock runs fn with the join lock held. Another process holds it for microseconds; one
// that is stopped meanwhile is waited for until ctx is done.
func withJoinLock(ctx context.Context, f *os.File, fn func() error) error {
	for {
		ok, err := ofdlock.TryLock(f, joinLockByte)
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
	defer ofdlock.Unlock(f, joinLockByte)
	return fn()
}

// takeRole locks role r in f, or returns ErrRoleTaken.
func takeRole(f *os.File, r layout.Role) error {
	ok, err := ofdlock.TryLock(f, int64(r))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: a live process is its %v", ErrRoleTaken, r)
	}
	return nil
}
