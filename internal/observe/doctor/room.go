package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/internal/format"
	"sluice/layout"
	"sluice/shm"
)

// dockerShmSize is the default size of /dev/shm in a Docker container, bytes.
const dockerShmSize = 64 << 20

const (
	growShm          = "as root: mount -o remount,size=1g /dev/shm"
	growContainerShm = "in a container: docker run --shm-size=1g, or --ipc=host to use the host's; in a pod: an emptyDir with medium: Memory at /dev/shm; elsewhere, " + growShm
	freeShm          = "see what is in it (gauge ls, du -a /dev/shm) and remove what is not needed, or enlarge it, "
)

// room checks that a ring fits into /dev/shm. Memory is reserved when a ring is
// made, so a ring that does not fit is an error at once and not a SIGBUS later.
func room(m *machine) Finding {
	var st unix.Statfs_t
	if err := m.statfs(m.dir, &st); err != nil {
		return note("fix /dev/shm first", "not tried: %v", err)
	}
	total, free := st.Blocks*uint64(st.Bsize), st.Bavail*uint64(st.Bsize)
	needs := ringFileSize(layout.DefaultCapacity)
	fix := freeShm + growShm
	if total <= dockerShmSize {
		fix = growContainerShm
	}
	switch {
	case st.Files > 0 && st.Ffree == 0:
		return problem(freeShm+"as root: mount -o remount,nr_inodes=1m /dev/shm", "no room for a file: all %s inodes are in use", format.Count(st.Files))
	case total == 0: // what size=0 means
		return ok("as much as the machine's memory; segments take %s", segmentsSize(m.dir))
	case free < needs:
		return problem(fix, "%s free of %s: no room for a ring of the default --capacity 1MiB and its header; segments take %s",
			format.Size(free), format.Size(total), segmentsSize(m.dir))
	case total <= dockerShmSize:
		return problem(fix, "%s free of %s (Docker's default is 64 MiB): %s; segments take %s",
			format.Size(free), format.Size(total), maxRing(free), segmentsSize(m.dir))
	}
	return ok("%s free of %s: %s; segments take %s", format.Size(free), format.Size(total), maxRing(free), segmentsSize(m.dir))
}

// ringFileSize is the size of the file of a ring, bytes.
func ringFileSize(capacity uint64) uint64 {
	g, err := layout.RingGeometry(capacity, 0, uint64(os.Getpagesize()))
	if err != nil { // a page of 4 MiB or more
		return capacity
	}
	return uint64(g.FileSize())
}

// maxRing says for which --capacity there is room.
func maxRing(free uint64) string {
	c := uint64(layout.MaxCapacity)
	for c > layout.DefaultCapacity && ringFileSize(c) > free {
		c /= 2
	}
	if c == layout.MaxCapacity {
		return "room for the largest ring (2 GiB)"
	}
	return "room for a ring of --capacity " + format.FlagSize(c)
}

// segmentsSize returns the memory of all files with the name of a segment, of all users.
func segmentsSize(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "an unknown part"
	}
	var sum int64
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(shm.Path(""))) {
			continue
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += st.Blocks * 512
			}
		}
	}
	return format.Size(sum)
}
