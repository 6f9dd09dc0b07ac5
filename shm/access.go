package shm

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// ErrGroup is for a group that a segment cannot be shared with.
var ErrGroup = errors.New("no group to share with")

// Access says who besides this user may join a segment. With the zero value nobody may: the
// file has mode 0600, and another user's is ErrUntrusted.
type Access struct {
	gid   int
	given bool
}

// unmapped is what the kernel shows for an id that has none in this user namespace: it may be
// any group.
const unmapped = 65534

// GroupAccess returns the Access for the members of a group: a file that this process makes or
// owns gets that group and mode 0660, and one that a member has made in that way is accepted.
// Both sides have to ask for it, and every member can then read, change and forge messages.
// The error is ErrGroup when this process is not a member itself.
func GroupAccess(gid int) (Access, error) {
	groups, err := os.Getgroups()
	if err != nil {
		return Access{}, fmt.Errorf("groups of this process: %w", err)
	}
	switch {
	case gid == unmapped:
		return Access{}, fmt.Errorf("%w: %d stands for every group that this process cannot see", ErrGroup, gid)
	case gid != os.Getegid() && !slices.Contains(groups, gid):
		return Access{}, fmt.Errorf("%w: this process is not in group %d", ErrGroup, gid)
	}
	return Access{gid: gid, given: true}, nil
}

// Group returns the group; ok is false for the zero value.
func (a Access) Group() (gid int, ok bool) { return a.gid, a.given }

// apply gives a file of this user to the group.
func (a Access) apply(f *os.File, st *unix.Stat_t) error {
	const mode = 0o660
	if !a.given || int(st.Gid) == a.gid && st.Mode&0o777 == mode {
		return nil
	}
	// In this order the group that the file had before gets no access.
	if err := unix.Fchown(int(f.Fd()), -1, a.gid); err != nil {
		return fmt.Errorf("give %s to group %d: %w", f.Name(), a.gid, os.NewSyscallError("fchown", err))
	}
	if err := unix.Fchmod(int(f.Fd()), mode); err != nil {
		return fmt.Errorf("give %s to group %d: %w", f.Name(), a.gid, os.NewSyscallError("fchmod", err))
	}
	return nil
}

// accepts reports whether another user's file was given to the group.
func (a Access) accepts(st *unix.Stat_t) bool {
	return a.given && int(st.Gid) == a.gid && st.Mode&0o020 != 0
}
