// Package stdio tells a standard input or output that is closed from one that is there.
package stdio

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrClosed is for a standard input or output that was closed when the process was
// started.
var ErrClosed = errors.New("it is closed")

var names = [...]string{"standard input", "standard output", "standard error"}

// Check returns ErrClosed when descriptor fd, 0 to 2, was closed when the process was
// started.
//
// The runtime opens /dev/null for reading and writing at such a descriptor before main
// (so that no other file gets its number), and what is written there is gone. Shells open
// it for one of the two: with > /dev/null somebody meant it. What is said of a /dev/null
// that somebody opened for both (<> /dev/null, daemon(3)) is wrong, but such an output is
// nothing to write to either.
func Check(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%s: %w", names[fd], os.NewSyscallError("fstat", err))
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3) && flags&unix.O_ACCMODE == unix.O_RDWR {
		return fmt.Errorf("%s: %w", names[fd], ErrClosed)
	}
	return nil
}

// CheckPath is Check for a file by one of the names that a standard input or output has;
// any other is fine.
func CheckPath(path string) error {
	for fd, paths := range [...][]string{
		{"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"},
		{"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"},
		{"/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"},
	} {
		for _, p := range paths {
			if p == path {
				return Check(fd)
			}
		}
	}
	return nil
}
