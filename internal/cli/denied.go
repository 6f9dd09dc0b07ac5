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

// isDeniedCall reports whether err means that the kernel or a sandbox denies a system call to
// this process. It is false for permissions of files, which have a hint of their own.
func isDeniedCall(err error) bool {
	call, _ := deniedCall(err)
	return call != ""
}

// deniedCall returns that system call, and whether the kernel knows it (an error other than
// ENOSYS, EINVAL or EOPNOTSUPP); "" for any other error.
func deniedCall(err error) (call string, known bool) {
	known = errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	unknown := errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)
	if !known && !unknown {
		return "", false
	}
	if sys := (*os.SyscallError)(nil); errors.As(err, &sys) {
		onFile := sys.Syscall == "connect" || sys.Syscall == "bind" // a socket file has permissions
		if onFile && errors.Is(err, unix.EACCES) {
			return "", false
		}
		return sys.Syscall, known
	}
	path := (*fs.PathError)(nil)
	if !errors.As(err, &path) || cannotCreateFiles(err) {
		return "", false
	}
	inShm := strings.HasPrefix(path.Path, shm.Dir)                          // tmpfs, which supports all calls that are used
	content := path.Op == "open" || path.Op == "read" || path.Op == "write" // may fail for any file that the user names
	switch {
	case errors.Is(err, unix.EACCES) && (!inShm || content):
		return "", false
	case inShm, !content, errors.Is(err, unix.ENOSYS):
		return path.Op, known
	}
	return "", false
}

// hintDeniedCall is the hint for a system call that is denied.
func hintDeniedCall(_ string, p part) string {
	call, known := deniedCall(p.err)
	const sandbox = "a container's profile or another sandbox (seccomp, AppArmor, SELinux)"
	if known {
		return fmt.Sprintf("%s forbids %s: allow it there; gauge doctor finds other problems", sandbox, call)
	}
	return fmt.Sprintf("this kernel has no %s, or %s hides it: allow it there; gauge doctor finds other problems", call, sandbox)
}

// cannotCreateFiles reports whether err means that this user cannot create or remove files in
// the directory of segments; it is false for missing permission on a single file.
func cannotCreateFiles(err error) bool {
	path := (*fs.PathError)(nil)
	if !errors.Is(err, unix.EACCES) || !errors.As(err, &path) || !strings.HasPrefix(path.Path, shm.Dir) {
		return false
	}
	return path.Op == "open(O_TMPFILE)" || path.Op == "link" || path.Op == "remove"
}
