package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sluice/internal/futex"
	"sluice/internal/mapping"
	"sluice/internal/membarrier"
	"sluice/layout"
	"sluice/shm"
	"sluice/transfer"
)

// machine is what the checks ask. Tests replace parts of it.
type machine struct {
	root string // before every path of /proc, /sys, /etc, /run and the like
	dir  string // where segments live
	uid  int
	env  func(string) string

	processors      int    // that this process may run on
	release         string // of the kernel
	storesOvertaken bool   // layout.StoreReleaseOvertaken

	statfs    func(path string, st *unix.Statfs_t) error
	mayWrite  func(path string) error // nil when this user may make files there
	files     func() (unix.Rlimit, error)
	rlimit    func(resource int) (unix.Rlimit, error)
	socket    func(name string) string // transfer.SocketPath
	list      func() ([]segment, error)
	livePairs func() ([]pairTrouble, error)

	// What is tried with the real code. Each removes what it makes.
	probeRing     func() error
	probeFutex    func() error
	tryWaitAny    func() error
	hasBarrier    func() bool
	probeTransfer func() error
	tryHuge       func() error
}

// thisMachine is this machine, as this process sees it.
func thisMachine() *machine {
	var name unix.Utsname
	unix.Uname(&name) // fails for a bad address only
	return &machine{
		dir: shm.Dir, uid: os.Geteuid(), env: os.Getenv,
		processors: runtime.NumCPU(), release: unix.ByteSliceToString(name.Release[:]), storesOvertaken: layout.StoreReleaseOvertaken,
		statfs: unix.Statfs, socket: transfer.SocketPath, list: listSegments, livePairs: findLiveTrouble,
		mayWrite: func(path string) error {
			return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		},
		files: func() (limit unix.Rlimit, err error) {
			err = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
			return limit, err
		},
		rlimit: func(resource int) (limit unix.Rlimit, err error) {
			err = unix.Getrlimit(resource, &limit)
			return limit, err
		},
		probeRing: sync.OnceValue(probeRing), probeFutex: sync.OnceValue(probeFutex), probeTransfer: probeTransfer,
		tryWaitAny: futex.TryWaitAny,
		tryHuge:    func() error { return mapping.TryHuge(shm.Dir) },
		hasBarrier: func() bool { return membarrier.Register() && membarrier.Global() },
	}
}

// read returns the text of a file without the white space around it; "" when it cannot be
// read, which a check takes for a missing file.
func (m *machine) read(path string) string {
	b, err := os.ReadFile(m.root + path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (m *machine) exists(path string) bool {
	_, err := os.Stat(m.root + path)
	return err == nil
}

// mount is a line of /proc/self/mountinfo.
type mount struct {
	root, point, kind, source, options string
}

// mounts returns the mounts in the order in which they were made: of two at one point, the later
// one is visible.
func (m *machine) mounts() (all []mount) {
	for line := range strings.Lines(m.read("/proc/self/mountinfo")) {
		before, after, _ := strings.Cut(line, " - ")
		place, what := strings.Fields(before), strings.Fields(after)
		if len(place) < 6 || len(what) < 3 {
			continue
		}
		all = append(all, mount{root: place[3], point: place[4], kind: what[0], source: what[1], options: options(place[5], what[2])})
	}
	return all
}

// options joins those of the mount and those of the file system, each once.
func options(mount, super string) string {
	all := strings.Split(mount, ",")
	for _, o := range strings.Split(super, ",") {
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return strings.Join(all, ",")
}

// mountOf returns the mount that path lies in; the zero value when that cannot be
// told.
func (m *machine) mountOf(path string) (found mount) {
	for _, mnt := range m.mounts() {
		inside := path == mnt.point || strings.HasPrefix(path, strings.TrimSuffix(mnt.point, "/")+"/")
		if inside && len(mnt.point) >= len(found.point) {
			found = mnt
		}
	}
	return found
}

// namespace returns the kernel's number of the namespace of this process, "" when
// there is none of that kind.
func (m *machine) namespace(kind string) string {
	link, err := os.Readlink(filepath.Join(m.root+"/proc/self/ns", kind))
	if err != nil {
		return ""
	}
	_, number, _ := strings.Cut(strings.TrimSuffix(link, "]"), "[")
	return number
}
