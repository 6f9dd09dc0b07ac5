package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is the longest path that fits into the address of a socket, bytes.
const maxSocketPath = 107

// socketPath checks that both sides of a transfer find one place, that nobody else
// may put a socket in.
func socketPath(m *machine) Finding {
	dir := filepath.Dir(m.socket("demo"))
	const elsewhere = "or give both sides the same --socket PATH in a directory of this user's"
	if err := m.checkPrivate(dir); err != nil {
		return problem("make it this user's own (chown, chmod 700), "+elsewhere, "no place for the socket: %v", err)
	}
	if longest := m.socket(fmt.Sprintf("%064d", 0)); len(longest) > maxSocketPath {
		return note("a shorter XDG_RUNTIME_DIR, "+elsewhere, "%s is long: names of at most %d characters fit, not 64", dir, 64-(len(longest)-maxSocketPath))
	}
	// A service, cron or sudo has no such variable.
	own := fmt.Sprintf("/run/user/%d", m.uid)
	if set := m.env("XDG_RUNTIME_DIR"); set != "" && filepath.Dir(dir) == filepath.Clean(set) && filepath.Clean(set) != own {
		return note("set it for both sides, "+elsewhere, "%s/NAME.sock, from XDG_RUNTIME_DIR: a side without that variable (cron, sudo, a service) looks elsewhere", dir)
	}
	return ok("%s/NAME.sock, for this user alone", dir)
}

// checkPrivate reports why dir may not be used as transfer.Open and Create would use it, or
// made.
func (m *machine) checkPrivate(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		// Not dir itself: a consumer may be about to use it.
		try, err := os.MkdirTemp(filepath.Dir(dir), ".sluice-doctor-")
		if path := new(fs.PathError); errors.As(err, &path) {
			return &fs.PathError{Op: "make", Path: dir, Err: path.Err}
		}
		if err != nil {
			return err
		}
		return os.Remove(try)
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case ok && int(st.Uid) != m.uid && st.Uid != 0:
		return fmt.Errorf("%s belongs to user %d, not to this one (%d)", dir, st.Uid, m.uid)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("others may write to %s (mode %04o)", dir, mode(info))
	}
	if err := m.mayWrite(dir); err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}
