package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"sluice/internal/procinfo"
	"sluice/internal/sentinel"
	"sluice/layout"
)

// ErrUntrusted is for a file at a segment's name that is not safe to use: not a regular file,
// one that everybody may write to, or another user's, who could read the messages.
var ErrUntrusted = errors.New("segment file is not safe to use")

// ErrOtherUser is the ErrUntrusted of another user's segment, which the two users could share
// through a group: GroupAccess.
var ErrOtherUser = sentinel.New("segment belongs to another user", ErrUntrusted)

// ErrRemoved is for a segment whose file is gone: nobody can join it any more.
var ErrRemoved = errors.New("segment was removed")

// Open maps an existing segment and takes the given role in it. Errors:
// fs.ErrNotExist, fs.ErrPermission, ErrUntrusted, ErrRoleTaken, and those of
// layout.Header.Geometry for a file that is no segment, of another version or
// corrupt. ctx bounds the wait for a process that is joining or leaving, and Populate. An Access
// says who besides this user may have made it, and who may join if this user has.
func Open(ctx context.Context, name string, role layout.Role, with ...Option) (*Segment, error) {
	if err := checkUsable(name); err != nil {
		return nil, err
	}
	s, err := open(ctx, name, role, optionsOf(with))
	if err != nil {
		return nil, InSegment("open", name, err)
	}
	return s, nil
}

func open(ctx context.Context, name string, role layout.Role, with options) (_ *Segment, err error) {
	file, size, err := openFile(name, unix.O_RDWR, with.access)
	if err != nil {
		return nil, err
	}
	s := &Segment{segmentFile: segmentFile{name: name, file: file}, role: role}
	defer func() {
		if err != nil {
			s.unmap()
		}
	}()
	if err := s.check(size, writable); err != nil {
		return nil, err
	}
	if err := s.mapData(); err != nil {
		return nil, err
	}
	err = withJoinLock(ctx, file, func() error {
		if err := takeRole(file, role); err != nil {
			return s.nameHolder(err)
		}
		// The last process to leave may have removed it after it was opened here.
		ok, err := s.linked()
		if err == nil && !ok {
			err = fs.ErrNotExist
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if with.populate.includes(s.geometry) {
		if err := s.Populate(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// nameHolder adds to err the process id that the holder of the role has stored, for people:
// only the lock says that it lives.
func (s *Segment) nameHolder(err error) error {
	var pid, namespace uint64
	fault := Guard(func() error {
		side := s.fields.Stats(s.role)
		pid, namespace = side.PID.Load(), side.PIDNamespace.Load()
		return nil
	})
	if fault != nil || pid == 0 {
		return err
	}
	if own := procinfo.PIDNamespace(); namespace != 0 && own != 0 && namespace != own {
		return fmt.Errorf("%w (process %d of another pid namespace)", err, pid)
	}
	return fmt.Errorf("%w (process %d)", err, pid)
}

// openFile opens the file at the segment's name and returns its size. With O_RDWR it has to be a
// file that this user may trust: anybody can put a file, a link or a pipe into /dev/shm under
// any free name.
func openFile(name string, access int, with Access) (*os.File, int64, error) {
	fd, err := unix.Open(Path(name), access|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch err {
	case nil:
	case unix.ELOOP:
		return nil, 0, fmt.Errorf("%w: %s is a symbolic link", ErrUntrusted, Path(name))
	case unix.EISDIR, unix.ENXIO, unix.ENODEV:
		return nil, 0, fmt.Errorf("%w: %s is not a regular file", ErrUntrusted, Path(name))
	case unix.EACCES:
		return nil, 0, permissionError(Path(name))
	default:
		return nil, 0, &fs.PathError{Op: "open", Path: Path(name), Err: err}
	}
	f := os.NewFile(uintptr(fd), Path(name))
	size, err := checkFile(f, access == unix.O_RDWR, with)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// permissionError says why a file may not be opened: ErrUntrusted when it is another user's.
func permissionError(path string) error {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s has uid %d, want %d", ErrOtherUser, path, st.Uid, os.Geteuid())
	}
	return &fs.PathError{Op: "open", Path: path, Err: unix.EACCES}
}

func checkFile(f *os.File, trust bool, with Access) (size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, fmt.Errorf("%w: %s is not a regular file", ErrUntrusted, f.Name())
	}
	if !trust {
		return st.Size, nil
	}
	if err := checkTrust(f, &st, with); err != nil {
		return 0, err
	}
	if int(st.Uid) == os.Geteuid() {
		return st.Size, with.apply(f, &st)
	}
	return st.Size, nil
}

// checkTrust returns ErrUntrusted for a regular file that this user may not trust.
func checkTrust(f *os.File, st *unix.Stat_t, with Access) error {
	switch {
	case st.Mode&0o002 != 0:
		return fmt.Errorf("%w: everybody may write to %s", ErrUntrusted, f.Name())
	case int(st.Uid) != os.Geteuid() && !with.accepts(st):
		return fmt.Errorf("%w: %s has uid %d, want %d", ErrOtherUser, f.Name(), st.Uid, os.Geteuid())
	}
	return nil
}

// Remove deletes the file at a segment's name, segment or not, unless a live process holds a
// role in it (ErrRoleTaken) or it is ErrUntrusted. Unread messages in it are lost.
func Remove(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	f, size, err := openFile(name, unix.O_RDWR, Access{})
	if err != nil {
		return InSegment("remove", name, err)
	}
	s := &Segment{segmentFile: segmentFile{name: name, file: f}}
	defer s.unmap()
	err = withJoinLock(ctx, f, func() error {
		for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
			if err := takeRole(f, r); err != nil {
				if s.role = r; s.check(size, readable) == nil {
					err = s.nameHolder(err)
				}
				return err
			}
		}
		return s.unlink()
	})
	if err != nil {
		return InSegment("remove", name, err)
	}
	return nil
}

// RemoveIfExists is Remove for a segment that need not exist.
func RemoveIfExists(ctx context.Context, name string) error {
	err := Remove(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
