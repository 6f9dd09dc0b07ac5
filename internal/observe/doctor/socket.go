package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/internal/socketfile"
)

// socketPath checks that both sides of a transfer use the same directory for their socket, and
// that no other user may put one there.
func socketPath(m *machine) Finding {
	dir := filepath.Dir(m.socket("demo"))
	const elsewhere = "or give both sides the same --socket PATH in a directory of this user's"
	if err := m.checkPrivate(dir); err != nil {
		return problem("make it this user's own (chown, chmod 700), "+elsewhere, "no directory for the socket: %v", err)
	}
	if longest := m.socket(fmt.Sprintf("%064d", 0)); len(longest) > socketfile.MaxPath {
		return note("a shorter XDG_RUNTIME_DIR, "+elsewhere, "%s is long: names of at most %d characters fit, not 64", dir, 64-(len(longest)-socketfile.MaxPath))
	}
	// A process started by a service, cron or sudo does not have the variable.
	own := fmt.Sprintf("/run/user/%d", m.uid)
	if set := m.env("XDG_RUNTIME_DIR"); set != "" && filepath.Dir(dir) == filepath.Clean(set) && filepath.Clean(set) != own {
		return note("set it for both sides, "+elsewhere, "%s/NAME.sock, from XDG_RUNTIME_DIR: a side without that variable (cron, sudo, a service) uses another directory", dir)
	}
	return ok("%s/NAME.sock, for this user alone", dir)
}

// checkPrivate reports why a transfer could not use dir for its sockets, or make it.
func (m *machine) checkPrivate(dir string) error {
	err := socketfile.CheckDir(dir, m.uid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tryMkdir(dir)
	case err != nil:
		return err
	}
	if err := m.mayWrite(dir); err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}

// tryMkdir reports why dir could not be made. It makes another directory beside it, and removes
// that: a consumer may be about to use dir itself.
func tryMkdir(dir string) error {
	try, err := os.MkdirTemp(filepath.Dir(dir), ".sluice-doctor-")
	if path := new(fs.PathError); errors.As(err, &path) {
		return &fs.PathError{Op: "make", Path: dir, Err: path.Err}
	}
	if err != nil {
		return err
	}
	return os.Remove(try)
}
