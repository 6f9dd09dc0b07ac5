package shm

import (
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
// with is at most one Access: who may join besides this user.
//
// Preconditions: g comes from layout.RingGeometry, or has ModeTransfer and no
// capacity.
func Create(name string, g layout.Geometry, role layout.Role, with ...Access) (*Segment, error) {
	if err := checkUsable(name); err != nil {
		return nil, err
	}
	s, err := create(name, g, role, optionalAccess(with))
	if err != nil {
		return nil, InSegment("create", name, err)
	}
	return s, nil
}

func create(name string, g layout.Geometry, role layout.Role, with Access) (_ *Segment, err error) {
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
	if err := with.apply(s.file, &unix.Stat_t{}); err != nil {
		return nil, err
	}
	if err := allocate(s.file, g.FileSize()); err != nil {
		return nil, err
	}
	if err := s.mapHeader(writable); err != nil {
		return nil, err
	}
	if err := s.mapData(); err != nil {
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

// allocate reserves the memory. ftruncate alone would reserve none on a tmpfs, and then the
// first write to a page that cannot be had raises SIGBUS.
//
// It works in steps because a signal makes tmpfs undo a whole call.
func allocate(f *os.File, size int64) error {
	const step = 32 << 20
	for at := int64(0); at < size; at += step {
		n := min(step, size-at)
		err := unix.EINTR
		for err == unix.EINTR {
			err, _ = unix.Fallocate(int(f.Fd()), 0, at, n).(unix.Errno)
		}
		switch err {
		case 0:
		case unix.ENOSPC, unix.ENOMEM:
			return fmt.Errorf("%w: it needs %s bytes, %s", ErrNoSpace, format.Count(size), freeSpace())
		default:
			return fmt.Errorf("reserve %d bytes: %w", size, os.NewSyscallError("fallocate", err))
		}
	}
	return nil
}

func freeSpace() string {
	var fs unix.Statfs_t
	if err := unix.Statfs(Dir, &fs); err != nil {
		return "how much is free is unknown"
	}
	bytes := func(blocks uint64) string { return format.Count(blocks * uint64(fs.Bsize)) }
	return fmt.Sprintf("%s of %s are free", bytes(fs.Bavail), bytes(fs.Blocks))
}
