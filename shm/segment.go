package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/edsrzf/mmap-go"

	"sluice/layout"
)

// Segment is a mapped segment of which the caller holds one role. The memory
// is valid until Leave. A Segment is for one goroutine, except that Alive
// and Check may be called from any until Leave.
type Segment struct {
	name     string
	file     *os.File
	geometry layout.Geometry
	header   mmap.MMap
	fields   *layout.Header
	data     []byte
	role     layout.Role
}

// Name returns the segment's name.
func (s *Segment) Name() string { return s.name }

// Geometry returns what was fixed at creation, as it was validated when the
// segment was opened.
func (s *Segment) Geometry() layout.Geometry { return s.geometry }

// Header returns the mapped header. Peers write to it at any time.
func (s *Segment) Header() *layout.Header { return s.fields }

// Data returns the data region, mapped twice in a row: 2*Capacity bytes, of
// which the second half shows the first again. It is nil in transfer mode.
func (s *Segment) Data() []byte { return s.data }

// Alive reports whether somebody holds role r: this Segment, another one of
// this process, or another process.
func (s *Segment) Alive(r layout.Role) bool {
	if r == s.role {
		return true
	}
	alive, err := locked(s.file, int64(r))
	return err == nil && alive
}

// doorPatience is how long Leave waits for others who come or go. Each of them
// needs microseconds; one that was stopped in the door must not hold this one.
const doorPatience = time.Second

var errDoor = errors.New("somebody holds the door; the role is given up all the same, the file stays")

// Leave gives up the role and unmaps everything. When nobody holds the other
// role and remove returns true, the file goes as well; remove runs while
// nobody can come or go, so what it sees of the peer stays true. removed tells
// that the name does not stand for this segment any more.
func (s *Segment) Leave(remove func() bool) (removed bool, err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), doorPatience, errDoor)
	defer cancel()
	err = throughDoor(ctx, s.file, func() error {
		peer, err := locked(s.file, int64(s.role.Peer()))
		if err == nil && !peer && remove() {
			err = s.unlink()
			removed = err == nil
		}
		return errors.Join(err, unlock(s.file, int64(s.role)))
	})
	if err = errors.Join(err, s.unmap()); err != nil {
		err = fmt.Errorf("leave segment %q: %w", s.name, err)
	}
	return removed, err
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

// linked reports whether the segment's name still stands for this file.
func (s *Segment) linked() (bool, error) {
	mine, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(Path(s.name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, named), err
}

func (s *Segment) mapAll() (err error) {
	if s.header, err = mmap.MapRegion(s.file, layout.HeaderSize, mmap.RDWR, 0, 0); err != nil {
		return fmt.Errorf("map header: %w", err)
	}
	if s.fields, err = layout.At(s.header); err != nil {
		return err
	}
	return nil
}

func (s *Segment) mapData() (err error) {
	if s.geometry.Mode != layout.ModeRing {
		return nil
	}
	s.data, err = mapMirrored(s.file, int64(s.geometry.DataOffset), int64(s.geometry.Capacity))
	return err
}

// unmap also closes the file, and with it drops every lock.
func (s *Segment) unmap() error {
	var errs []error
	if s.data != nil {
		errs = append(errs, unmapMirrored(s.data))
		s.data = nil
	}
	if s.header != nil {
		errs = append(errs, s.header.Unmap())
		s.header, s.fields = nil, nil
	}
	return errors.Join(append(errs, s.file.Close())...)
}
