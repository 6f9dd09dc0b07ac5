package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// unnamedFiles checks that a segment can be made in secret, and get its name when it
// is complete.
func unnamedFiles(m *machine) Finding {
	if f, none := noPlace(m); none {
		return f
	}
	err := m.linkUnnamed(m.dir)
	var path *fs.PathError
	switch {
	case err == nil:
		return fine("can be made in /dev/shm and get a name: nobody sees a half-made segment")
	case errors.Is(err, unix.ENOSPC):
		return note("make room first", "not to be tried while /dev/shm is full")
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path) && path.Op == "link":
		return problem("as root: mount -t proc proc /proc", "cannot get a name without /proc: %v", err)
	}
	return problem("Linux 3.11 or newer with a tmpfs on /dev/shm; a container's profile (seccomp, AppArmor, SELinux) has to allow open(O_TMPFILE), fallocate and linkat",
		"no segment can be made: %v", err)
}

// linkUnnamed makes a file in dir as shm.Create does, and removes it.
func linkUnnamed(dir string) error {
	fd, err := openUnnamed(dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Fallocate(fd, 0, 0, int64(os.Getpagesize()))
	}
	if err != nil {
		return &fs.PathError{Op: "reserve memory in", Path: dir, Err: err}
	}
	path := filepath.Join(dir, fmt.Sprintf(".sluice-doctor.%d.%x", os.Getpid(), shm.Clock()))
	if err := unix.Linkat(unix.AT_FDCWD, proc(fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &fs.PathError{Op: "link", Path: path, Err: err}
	}
	return os.Remove(path)
}

func openUnnamed(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, &fs.PathError{Op: "open an unnamed file in", Path: dir, Err: err}
	}
	return fd, nil
}

// proc is a path to an open file.
func proc(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
