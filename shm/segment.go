package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"sluice/internal/mapping"
	"sluice/internal/ofdlock"
	"sluice/layout"
)

// Segment is a mapped segment in which the caller holds one role. The memory is valid until
// Leave. A Segment is for one goroutine, except that any may call Alive, Absent and Check
// until Leave, and WhileMapped at any time.
type Segment struct {
	segmentFile
	mapped
	data []byte
	role layout.Role

	detached  [][]byte // what Detach has made private, until Unmap
	detachErr error
}

// Data returns the data region. With records it is mapped twice in a row: 2*Capacity bytes, whose
// second half is the first again. With fixed slots it is Capacity bytes. It is nil in transfer
// mode.
func (s *Segment) Data() []byte { return s.data }

// Alive reports whether somebody holds role r: this Segment, another one of this process, or
// another process. The error says that the kernel refuses to tell, as in some sandboxes: then
// it is unknown.
func (s *Segment) Alive(r layout.Role) (bool, error) {
	if r == s.role {
		return true, nil
	}
	return ofdlock.Held(s.file, int64(r))
}

// Absent reports whether nobody holds role r. Where the kernel refuses to tell, it is false, so
// that no live process is taken for dead.
func (s *Segment) Absent(r layout.Role) bool {
	alive, err := s.Alive(r)
	return err == nil && !alive
}

// joinLockTimeout is how long Leave waits for others that join or leave. Each of them needs
// microseconds; one that was stopped with the lock held must not keep this one.
const joinLockTimeout = time.Second

var errJoinLock = errors.New("another process holds the join lock; the role is released all the same, the file stays")

// Leave releases the role and unmaps everything except what Detach has made private. When
// nobody holds the other role and remove returns true, the file is removed as well; remove runs
// with the join lock held, so nobody can join or leave meanwhile. removed says that the name no
// longer stands for this segment. A file that another user has made and shared stays: only its
// owner may remove it.
//
// record is at most one function, which stores in the header that the role was left in good
// order. It runs last, when the file is removed or will stay, and the role is still held: a
// process that is killed before that has not left, and its successor finds no record of it. It
// is called once, also if the join lock cannot be taken.
func (s *Segment) Leave(remove func() bool, record ...func()) (removed bool, err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), joinLockTimeout, errJoinLock)
	defer cancel()
	recordOnce := sync.OnceFunc(func() {
		for _, store := range record {
			if s.fields != nil {
				store()
			}
		}
	})
	err = withJoinLock(ctx, s.file, func() error {
		alone, err := s.peerAbsent()
		if err == nil && alone && remove() {
			err = s.unlink()
			removed = err == nil
			if errors.Is(err, fs.ErrPermission) && !s.isMine() {
				err = nil
			}
		}
		recordOnce()
		return errors.Join(err, ofdlock.Unlock(s.file, int64(s.role)))
	})
	recordOnce()
	return removed, InSegment("leave", s.name, err, s.close(s.unmap))
}

// Unlink removes the file, for a caller who is about to leave, if may returns true. may runs with
// the join lock held, so nobody can join or leave meanwhile; alone says that nobody holds the other
// role. Who does keeps the segment, which nobody else can join any more. removed is as Leave has
// it. The error is the cause of ctx, or one of the operating system.
func (s *Segment) Unlink(ctx context.Context, may func(alone bool) bool) (removed bool, err error) {
	err = withJoinLock(ctx, s.file, func() error {
		if !may(s.Absent(s.role.Peer())) {
			return nil
		}
		err := s.unlink()
		removed = err == nil
		if errors.Is(err, fs.ErrPermission) && !s.isMine() {
			return nil
		}
		return err
	})
	return removed, InSegment("remove", s.name, err)
}

// peerAbsent reports whether nobody holds the other role. The caller holds the join lock.
func (s *Segment) peerAbsent() (bool, error) {
	peer := int64(s.role.Peer())
	if held, err := ofdlock.Held(s.file, peer); err == nil {
		return !held, nil
	}
	// A process that may not query the lock can still try to take it; nobody else takes it
	// without the join lock. It is dropped with the file's descriptor, a moment later.
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

// Check returns ErrTruncated when the file is shorter than what was mapped, and ErrRemoved when
// its name no longer stands for it. It may be called as Alive may.
func (s *Segment) Check() error {
	info, err := s.file.Stat()
	if err == nil && info.Size() < s.geometry.FileSize() {
		return InSegment("", s.name, fmt.Errorf("%w: it has %d bytes of %d", ErrTruncated, info.Size(), s.geometry.FileSize()))
	}
	if ok, err := s.linked(); !ok && err == nil {
		return InSegment("", s.name, ErrRemoved)
	}
	return nil
}

func (s *Segment) mapData() (err error) {
	if s.geometry.Mode != layout.ModeRing {
		return nil
	}
	at, size := int64(s.geometry.DataOffset), int64(s.geometry.Capacity)
	if s.geometry.Fixed() {
		s.data, err = mapping.Shared(s.file, at, size)
		return err
	}
	s.data, err = mapping.Mirror(s.file, at, size)
	return err
}

// unmap unmaps everything and closes the file, which drops every lock.
func (s *Segment) unmap() error {
	var errs []error
	if s.data != nil {
		errs = append(errs, mapping.Unmap(s.data))
		s.data = nil
	}
	return errors.Join(append(errs, s.segmentFile.unmap())...)
}
