package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// refused reports whether err says that the kernel does not let this process make a system
// call. Permissions of files, whose remedy is another, are not meant.
func refused(err error) bool {
	call, _ := refusedCall(err)
	return call != ""
}

// refusedCall returns that system call, and whether it is known here; "" when err is
// something else.
func refusedCall(err error) (call string, known bool) {
	known = errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	unknown := errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)
	if !known && !unknown {
		return "", false
	}
	if sys := (*os.SyscallError)(nil); errors.As(err, &sys) {
		onFile := sys.Syscall == "connect" || sys.Syscall == "bind" // which has permissions of its own
		if onFile && errors.Is(err, unix.EACCES) {
			return "", false
		}
		return sys.Syscall, known
	}
	path := (*fs.PathError)(nil)
	if !errors.As(err, &path) || noFiles(err) {
		return "", false
	}
	ours := strings.HasPrefix(path.Path, shm.Dir)                           // and memory: no kind of file that cannot do it
	content := path.Op == "open" || path.Op == "read" || path.Op == "write" // of whatever file the user has named
	switch {
	case errors.Is(err, unix.EACCES) && (!ours || content):
		return "", false
	case ours, !content, errors.Is(err, unix.ENOSYS):
		return path.Op, known
	}
	return "", false
}

// allowCall is the hint for a system call that was refused.
func allowCall(_ string, p part) string {
	call, known := refusedCall(p.err)
	const sandbox = "a container's profile or another sandbox (seccomp, AppArmor, SELinux)"
	if known {
		return fmt.Sprintf("%s forbids %s: allow it there; gauge doctor finds other problems", sandbox, call)
	}
	return fmt.Sprintf("this kernel has no %s, or %s hides it: allow it there; gauge doctor finds other problems", call, sandbox)
}

// noFiles reports whether err says that this user may not make or remove files where
// segments live, rather than that a file is not for this user.
func noFiles(err error) bool {
	path := (*fs.PathError)(nil)
	if !errors.Is(err, unix.EACCES) || !errors.As(err, &path) || !strings.HasPrefix(path.Path, shm.Dir) {
		return false
	}
	return path.Op == "open(O_TMPFILE)" || path.Op == "link" || path.Op == "remove"
}
