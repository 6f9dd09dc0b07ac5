package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/format"
	"sluice/layout"
)

// ErrNoSpace is for a /dev/shm without room for the segment.
var ErrNoSpace = errors.New("no room in " + Dir)

// Create makes a new segment and takes the given role in it. Errors: fs.ErrExist when anything
// has that name, even a symbolic link, and ErrNoSpace when there is not enough memory.
//
// Nobody can see the segment before it is complete: it is an unnamed file (O_TMPFILE) until its
// memory is reserved, its header written and the role locked, and then gets its name in one
// step that never replaces another file. A process killed before that leaves nothing behind.
//
// An Access says who may join besides this user, and a Populate that the data region is mapped at
// once.
//
// Preconditions: g comes from layout.RingGeometry, or has ModeTransfer and no
// capacity.
func Create(name string, g layout.Geometry, role layout.Role, with ...Option) (*Segment, error) {
	return createNamed(context.Background(), name, g, role, optionsOf(with))
}

// createNamed is Create that ends early, with the cause of ctx, when that is done.
func createNamed(ctx context.Context, name string, g layout.Geometry, role layout.Role, with options) (*Segment, error) {
	if err := checkUsable(name); err != nil {
		return nil, err
	}
	s, err := create(ctx, name, g, role, with)
	if err != nil {
		return nil, InSegment("create", name, err)
	}
	return s, nil
}

func create(ctx context.Context, name string, g layout.Geometry, role layout.Role, with options) (_ *Segment, err error) {
	fd, err := unix.Open(Dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "open(O_TMPFILE)", Path: Dir, Err: err}
	}
	s := &Segment{segmentFile: segmentFile{name: name, file: os.NewFile(uintptr(fd), Path(name)), geometry: g}, role: role}
	defer func() {
		if err != nil {
			s.unmap()
		}
	}()
	if err := with.access.apply(s.file, &unix.Stat_t{}); err != nil {
		return nil, err
	}
	if err := s.mapData(); err != nil { // of a file that is empty so far
		return nil, err
	}
	if err := s.allocate(ctx, with.populate.includes(g)); err != nil {
		return nil, err
	}
	if err := s.mapHeader(writable); err != nil {
		return nil, err
	}
	s.fields.Init(g, uint64(time.Now().UnixNano()))
	if err := takeRole(s.file, role); err != nil {
		return nil, err
	}
	unnamed := fmt.Sprintf("/proc/self/fd/%d", fd)
	if err := unix.Linkat(unix.AT_FDCWD, unnamed, unix.AT_FDCWD, Path(name), unix.AT_SYMLINK_FOLLOW); err != nil {
		return nil, &fs.PathError{Op: "link", Path: Path(name), Err: err}
	}
	return s, nil
}

// allocate reserves the memory of a new file, and with populate maps the data region.
func (s *Segment) allocate(ctx context.Context, populate bool) error {
	size := s.geometry.FileSize()
	reserve := func(at, n int64) error {
		switch err := fallocate(s.file, at, n); err {
		case nil:
			return nil
		case unix.ENOSPC, unix.ENOMEM:
			return fmt.Errorf("%w: it needs %s bytes, %s", ErrNoSpace, format.Count(size), freeSpace(s.file))
		default:
			return fmt.Errorf("reserve %d bytes: %w", size, os.NewSyscallError("fallocate", err))
		}
	}
	if err := reserve(size-1, 1); err != nil { // the file has its size from here on
		return err
	}
	if populate {
		if err := s.allocateHuge(ctx); err != nil {
			return err
		}
	}
	for at := int64(0); at < size; at += populateStep {
		if at > 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := reserve(at, min(populateStep, size-at)); err != nil {
			return err
		}
	}
	if populate {
		return s.Populate(ctx)
	}
	return nil
}

// fallocate reserves a part of the memory. ftruncate alone would reserve none on a tmpfs, and then
// the first write to a page that cannot be had raises SIGBUS. Its parts should be small, because a
// signal makes tmpfs undo a whole call.
func fallocate(f *os.File, at, size int64) error {
	err := error(unix.EINTR)
	for err == unix.EINTR {
		err = unix.Fallocate(int(f.Fd()), 0, at, size)
	}
	return err
}

// freeSpace describes how much is free without the file f.
func freeSpace(f *os.File) string {
	var fs unix.Statfs_t
	var own unix.Stat_t
	if unix.Statfs(Dir, &fs) != nil || unix.Fstat(int(f.Fd()), &own) != nil {
		return "how much is free is unknown"
	}
	free, all := fs.Bavail*uint64(fs.Bsize)+uint64(own.Blocks)*512, fs.Blocks*uint64(fs.Bsize)
	return fmt.Sprintf("%s of %s are free", format.Count(free), format.Count(all))
}
