package doctor

import (
	"cmp"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// mountShm is how to mount a /dev/shm where there is none, or none of memory.
const mountShm = "as root: mkdir -p /dev/shm && mount -t tmpfs -o mode=1777,nosuid,nodev,size=1g tmpfs /dev/shm"

// sharedMemory checks that this user may make segments in /dev/shm, and that they
// are memory.
func sharedMemory(m *machine) Finding {
	info, err := os.Stat(m.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem(mountShm, "does not exist: segments cannot be made")
	case err != nil:
		return problem(allowCalls+"fstatat", "%v", err)
	case !info.IsDir():
		return problem("remove it first; "+mountShm, "is not a directory")
	}
	var st unix.Statfs_t
	if err := m.statfs(m.dir, &st); err != nil {
		return note(allowCalls+"statfs", "its file system cannot be asked: %v", err)
	}
	mnt := m.mountOf(m.dir)
	switch {
	case st.Type != unix.TMPFS_MAGIC:
		return problem(mountShm, "is on %s, not on a tmpfs: messages would be written to a disk", cmp.Or(mnt.kind, "another file system"))
	case st.Flags&unix.ST_RDONLY != 0:
		return problem("as root: mount -o remount,rw /dev/shm", "is mounted read-only")
	case m.mayWrite(m.dir) != nil:
		return problem("as root: chmod 1777 /dev/shm", "user %d may not make files in it (mode %04o)", m.uid, mode(info))
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		return problem("as root: chmod +t /dev/shm", "anybody may delete anybody's segments (mode %04o, no sticky bit)", mode(info))
	}
	return ok("a tmpfs, open to this user (mode %04o, %s)", mode(info), cmp.Or(mnt.options, "mount options unknown"))
}

// mode returns the mode as chmod takes it.
func mode(info fs.FileInfo) uint32 {
	sticky := uint32(0)
	if info.Mode()&fs.ModeSticky != 0 {
		sticky = 0o1000
	}
	return sticky | uint32(info.Mode().Perm())
}

// notWritable returns the finding of a check that needs a directory which is missing or not for
// this user, and whether it is: the check of the directory reports the problem, once.
func notWritable(m *machine) (Finding, bool) {
	err := m.mayWrite(m.dir)
	return note("fix /dev/shm first", "not tried: %v", err), err != nil
}
