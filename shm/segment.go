package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"sluice/internal/mapping"
	"sluice/internal/ofdlock"
	"sluice/layout"
)

// Segment is a mapped segment of which the caller holds one role. The memory
// is valid until Leave. A Segment is for one goroutine, except that Alive, Absent
// and Check may be called from any until Leave.
type Segment struct {
	page
	data []byte
	role layout.Role

	detached  [][]byte // what Detach has made private, until Unmap
	detachErr error
}

// Data returns the data region, mapped twice in a row: 2*Capacity bytes, of
// which the second half shows the first again. It is nil in transfer mode.
func (s *Segment) Data() []byte { return s.data }

// Alive reports whether somebody holds role r: this Segment, another one of
// this process, or another process. The error says that the kernel does not tell, as
// in some sandboxes: then nobody knows.
func (s *Segment) Alive(r layout.Role) (bool, error) {
	if r == s.role {
		return true, nil
	}
	return ofdlock.Held(s.file, int64(r))
}

// Absent reports whether nobody is known to hold role r. It is not the opposite of
// Alive: where the kernel does not tell, it is false as well, so that nobody is taken
// for dead who may be alive.
func (s *Segment) Absent(r layout.Role) bool {
	alive, err := s.Alive(r)
	return err == nil && !alive
}

// doorPatience is how long Leave waits for others who come or go. Each of them
// needs microseconds; one that was stopped in the door must not hold this one.
const joinLockPatience = time.Second

var errJoinLock = errors.New("somebody holds the door; the role is given up all the same, the file stays")

// Leave gives up the role and unmaps everything, but for what Detach has made private. When nobody holds the other
// role and remove returns true, the file goes as well; remove runs while
// nobody can come or go, so what it sees of the peer stays true. removed tells
// that the name does not stand for this segment any more. A file that another user
// has made and shared stays, for him to use again: only its owner may remove it.
func (s *Segment) Leave(remove func() bool) (removed bool, err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), joinLockPatience, errJoinLock)
	defer cancel()
	err = withJoinLock(ctx, s.file, func() error {
		alone, err := s.alone()
		if err == nil && alone && remove() {
			err = s.unlink()
			removed = err == nil
			if errors.Is(err, fs.ErrPermission) && !s.mine() {
				err = nil
			}
		}
		return errors.Join(err, ofdlock.Unlock(s.file, int64(s.role)))
	})
	if err = errors.Join(err, s.unmap()); err != nil {
		err = InSegment("leave", s.name, err)
	}
	return removed, err
}

// alone reports whether nobody holds the other role. The caller is in the door.
func (s *Segment) alone() (bool, error) {
	peer := int64(s.role.Peer())
	if held, err := ofdlock.Held(s.file, peer); err == nil {
		return !held, nil
	}
	// Who may not ask can still try to take it; everybody else who would is at the
	// door. The lock goes with the file's descriptor, a moment later.
	return ofdlock.TryLock(s.file, peer)
}

// unlink removes the name if it still stands for this segment.
func (s *Segment) unlink() error {
	if ok, err := s.linked(); !ok {
		return err
	}
	err := os.Remove(Path(s.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Check looks whether the file is still as it was mapped: ErrTruncated when some
// of it is gone, ErrRemoved when it is not to be found under its name any more.
// It may be called as Alive may.
func (s *Segment) Check() error {
	info, err := s.file.Stat()
	if err == nil && info.Size() < s.geometry.FileSize() {
		return fmt.Errorf("%w: it has %d bytes of %d", ErrTruncated, info.Size(), s.geometry.FileSize())
	}
	if ok, err := s.linked(); !ok && err == nil {
		return ErrRemoved
	}
	return nil
}

func (s *Segment) mapData() (err error) {
	if s.geometry.Mode != layout.ModeRing {
		return nil
	}
	s.data, err = mapping.Mirror(s.file, int64(s.geometry.DataOffset), int64(s.geometry.Capacity))
	return err
}

// unmap also closes the file, and with it drops every lock.
func (s *Segment) unmap() error {
	var errs []error
	if s.data != nil {
		errs = append(errs, mapping.Unmap(s.data))
		s.data = nil
	}
	return errors.Join(append(errs, s.page.unmap())...)
}
