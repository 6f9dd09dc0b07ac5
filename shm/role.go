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

// Role locks are open-file-description locks on single bytes of the segment
// file: byte 0 for the producer, byte 1 for the consumer, byte 2 for the door.
// The kernel drops them with the last descriptor, however the process ends, so
// a lock says "alive" where a pid (reused, or of another namespace) cannot.
//
// The door is held for a few system calls by whoever comes or goes. It keeps
// "I am the last one, I remove the file" and "I have opened it, I take a role"
// from crossing.
const joinLockByte = 2

// throughDoor runs fn while it holds the door. Somebody else holds it for
// microseconds; a process stopped in there is waited for until ctx is done.
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
