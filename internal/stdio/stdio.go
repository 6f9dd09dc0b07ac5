// Package stdio detects a closed standard input, output or error.
package stdio

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrClosed is for a standard input or output that was closed when the process was
// started.
var ErrClosed = errors.New("closed")

var names = [...]string{"standard input", "standard output", "standard error"}

// Check returns ErrClosed when descriptor fd, 0 to 2, was closed when the process was
// started.
//
// The Go runtime opens /dev/null for reading and writing at a closed descriptor before main (so
// that no other file gets its number). A shell opens /dev/null for only one of the two, so
// > /dev/null is not taken for closed. A /dev/null opened for both by another program
// (<> /dev/null, daemon(3)) cannot be told from a closed descriptor.
func Check(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%s: %w", names[fd], os.NewSyscallError("fstat", err))
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3) && flags&unix.O_ACCMODE == unix.O_RDWR {
		return fmt.Errorf("%s is %w", names[fd], ErrClosed)
	}
	return nil
}

// CheckPath is Check for a path that names a standard descriptor, such as /dev/stdin; nil for any
// other path.
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
