package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/mapping"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Each row spoils one thing on a healthy machine.
var brokenMachines = []struct {
	name  string
	check string
	spoil func(t *testing.T, m *machine)
	state State
	text  string
	fix   string
}{
	{"no /dev/shm", "/dev/shm", func(t *testing.T, m *machine) { m.dir += "/none" }, Problem, "does not exist", "mount -t tmpfs"},
	{"a file at /dev/shm", "/dev/shm", func(t *testing.T, m *machine) { m.dir += "/file"; os.WriteFile(m.dir, nil, 0o600) }, Problem, "not a directory", "remove it|mount"},
	{"no tmpfs", "/dev/shm", func(t *testing.T, m *machine) {
		m.put(t, "/proc/self/mountinfo", "22 1 0:21 / / rw,relatime - ext4 /dev/sda1 rw")
		m.statfs = statfs(unix.Statfs_t{Type: unix.EXT4_SUPER_MAGIC, Bsize: 4096, Blocks: gib, Bavail: gib})
	}, Problem, "on ext4", "mount -t tmpfs"},
	{"an unknown file system", "/dev/shm", func(t *testing.T, m *machine) {
		m.remove("/proc/self/mountinfo")
		m.statfs = statfs(unix.Statfs_t{Type: 1})
	}, Problem, "another file system", "mount -t tmpfs"},
	{"no statfs", "/dev/shm", func(t *testing.T, m *machine) { m.statfs = func(string, *unix.Statfs_t) error { return unix.ENOSYS } }, Note, "not implemented", "statfs"},
	{"read-only", "/dev/shm", func(t *testing.T, m *machine) {
		m.statfs = statfs(unix.Statfs_t{Type: unix.TMPFS_MAGIC, Flags: unix.ST_RDONLY})
	}, Problem, "read-only", "remount,rw"},
	{"not writable", "/dev/shm", func(t *testing.T, m *machine) {
		m.uid, m.mayWrite = 1234, func(string) error { return unix.EACCES }
	}, Problem, "user 1234|1777", "chmod 1777"},
	{"no sticky bit", "/dev/shm", func(t *testing.T, m *machine) { os.Chmod(m.dir, 0o777) }, Problem, "anybody's|0777", "chmod +t"},
	{"for one user alone", "/dev/shm", func(t *testing.T, m *machine) { os.Chmod(m.dir, 0o700) }, OK, "mode 0700", ""},
	{"its options", "/dev/shm", func(t *testing.T, m *machine) {}, OK, "rw,nosuid,nodev,inode64", ""},

	{"Docker's default", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(64<<20, 64<<20)) }, Problem, "64 MiB free of 64 MiB|--capacity 32MiB", "--shm-size|--ipc=host|remount,size"},
	{"a page more than that", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(64<<20+4096, 64<<20)) }, OK, "--capacity 32MiB", ""},
	{"full", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(gib, 0)) }, Problem, "0 B free of 1 GiB|--capacity 1MiB and its header", "gauge ls|remount,size"},
	{"a page too little", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(gib, 1<<20+layout.HeaderSize-4096)) }, Problem, "1.1 MiB free", "remount,size"},
	{"just enough", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(gib, 1<<20+layout.HeaderSize)) }, OK, "--capacity 1MiB", ""},
	{"a small one that is full", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(64<<20, 4096)) }, Problem, "4 KiB free of 64 MiB", "--shm-size"},
	{"room for all", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(4*gib, 2*gib+layout.HeaderSize)) }, OK, "largest ring (2 GiB)", ""},
	{"a page less", "room", func(t *testing.T, m *machine) { m.statfs = statfs(space(4*gib, 2*gib+4096)) }, OK, "--capacity 1GiB", ""},
	{"no limit", "room", func(t *testing.T, m *machine) { m.statfs = statfs(unix.Statfs_t{Type: unix.TMPFS_MAGIC, Bsize: 4096}) }, OK, "machine's memory", ""},
	{"no inodes", "room", func(t *testing.T, m *machine) {
		m.statfs = statfs(unix.Statfs_t{Type: unix.TMPFS_MAGIC, Bsize: 4096, Blocks: gib, Bavail: gib, Files: 1000})
	}, Problem, "1,000 inodes", "nr_inodes"},
	{"what segments take", "room", func(t *testing.T, m *machine) {
		os.WriteFile(m.dir+"/sluice.a", make([]byte, 64<<10), 0o600)
		os.WriteFile(m.dir+"/other", make([]byte, 1<<20), 0o600)
	}, OK, "segments take 64 KiB", ""},
	{"no statfs", "room", func(t *testing.T, m *machine) { m.statfs = func(string, *unix.Statfs_t) error { return unix.ENOSYS } }, Note, "not tried", "fix /dev/shm"},

	{"not writable", "ring", func(t *testing.T, m *machine) { m.mayWrite = func(string) error { return unix.EACCES } }, Note, "not tried", "fix /dev/shm"},
	{"full", "ring", func(t *testing.T, m *machine) {
		m.probeRing = func() error { return fmt.Errorf("%w: so much", shm.ErrNoSpace) }
	}, Note, "full", "room"},
	{"no O_TMPFILE", "ring", func(t *testing.T, m *machine) {
		m.probeRing = func() error { return &fs.PathError{Op: "open", Err: unix.EOPNOTSUPP} }
	}, Problem, "not supported", "3.15|seccomp|O_TMPFILE"},
	{"no /proc", "ring", func(t *testing.T, m *machine) {
		m.probeRing = func() error { return &fs.PathError{Op: "link", Path: "/x", Err: unix.ENOENT} }
	}, Problem, "without /proc", "mount -t proc"},
	{"no locks", "ring", func(t *testing.T, m *machine) { m.probeRing = func() error { return unix.EINVAL } }, Problem, "invalid argument", "F_OFD_SETLK"},
	{"small files only", "ring", func(t *testing.T, m *machine) {
		m.probeRing = func() error { return fmt.Errorf("reserve: %w", unix.EFBIG) }
	}, Problem, "--capacity 1MiB|file too large", "ulimit -f|LimitFSIZE"},
	{"nobody tells who lives", "ring", func(t *testing.T, m *machine) {
		m.probeRing = func() error { return fmt.Errorf("%w: %w", errLivenessUnknown, unix.EPERM) }
	}, Note, "works, but|which sides are alive", "F_OFD_GETLK"},
	{"no waking", "ring", func(t *testing.T, m *machine) { m.probeFutex = func() error { return unix.EPERM } }, Note, "not tried", "futex"},
	{"no descriptors", "ring", func(t *testing.T, m *machine) { m.probeRing = func() error { return unix.EMFILE } }, Problem, "too many open files", "ulimit -n"},

	{"not writable", "transfer", func(t *testing.T, m *machine) { m.mayWrite = func(string) error { return unix.EACCES } }, Note, "not tried", "fix /dev/shm"},
	{"no ring either", "transfer", func(t *testing.T, m *machine) { m.probeRing = func() error { return unix.EPERM } }, Note, "not tried", "fix what is above"},
	{"no memfd", "transfer", func(t *testing.T, m *machine) { m.probeTransfer = func() error { return unix.ENOSYS } }, Problem, "not implemented", "--mode ring|3.17|memfd_create"},
	{"nothing comes", "transfer", func(t *testing.T, m *machine) { m.probeTransfer = func() error { return errNotReceived } }, Problem, "not received within", "--mode ring|SCM_RIGHTS"},
	{"files too small for a ring", "transfer", func(t *testing.T, m *machine) { m.probeRing = func() error { return unix.EFBIG } }, OK, "sealed and passed", ""},
	{"files too small for either", "transfer", func(t *testing.T, m *machine) {
		m.probeRing = func() error { return unix.EFBIG }
		m.probeTransfer = m.probeRing
	}, Note, "file too large", "fix what is above"},
	{"small files only", "transfer", func(t *testing.T, m *machine) { m.probeTransfer = func() error { return unix.EFBIG } }, Problem, "file too large", "ulimit -f"},
	{"full", "transfer", func(t *testing.T, m *machine) { m.probeTransfer = func() error { return shm.ErrNoSpace } }, Note, "full", "room"},

	{"no futex", "futex", func(t *testing.T, m *machine) { m.probeFutex = func() error { return unix.EPERM } }, Problem, "not permitted", "seccomp"},
	{"no futex_waitv", "many rings", func(t *testing.T, m *machine) { m.tryWaitAny = func() error { return unix.ENOSYS } }, Note, "a thread for each|not implemented", "seccomp|5.16"},
	{"futex_waitv", "many rings", func(t *testing.T, m *machine) { m.tryWaitAny = func() error { return nil } }, OK, "up to 127 rings", ""},
	{"no membarrier", "membarrier", func(t *testing.T, m *machine) { m.hasBarrier = func() bool { return false } }, Note, "full fence", "seccomp|4.16"},
	{"not needed", "membarrier", func(t *testing.T, m *machine) { m.storesOvertaken, m.hasBarrier = false, func() bool { return false } }, OK, "not needed", ""},

	{"very few", "descriptors", func(t *testing.T, m *machine) { m.files = files(127) }, Problem, "127 a process", "ulimit -n|LimitNOFILE|--ulimit"},
	{"few", "descriptors", func(t *testing.T, m *machine) { m.files = files(1024) }, Note, "at most 896 buffers|1,024 for all processes", "--buffer 64KiB|ulimit -n"},
	{"the fewest that go", "descriptors", func(t *testing.T, m *machine) { m.files = files(128) }, Note, "at most 104 buffers", "--buffer"},
	{"enough", "descriptors", func(t *testing.T, m *machine) { m.files = files(4096) }, OK, "at most 3,584 buffers|4,096 for all processes", ""},
	{"no limit", "descriptors", func(t *testing.T, m *machine) { m.files = files(unix.RLIM_INFINITY) }, OK, "any number a process", ""},
	{"unknown", "descriptors", func(t *testing.T, m *machine) {
		m.files = func() (unix.Rlimit, error) { return unix.Rlimit{}, unix.EPERM }
	}, Note, "unknown", ""},
	{"CAP_SYS_ADMIN", "descriptors", func(t *testing.T, m *machine) { m.put(t, "/proc/self/status", "CapEff:\t0000000000200000\n") }, OK, "privileged", ""},
	{"CAP_SYS_RESOURCE", "descriptors", func(t *testing.T, m *machine) { m.put(t, "/proc/self/status", "CapEff:\t0000000001000000\n") }, OK, "privileged", ""},
	{"other capabilities", "descriptors", func(t *testing.T, m *machine) { m.put(t, "/proc/self/status", "CapEff:\t0000000002400fff\n") }, OK, "65,536 for all processes", ""},
	{"privileged in a container of its own users", "descriptors", func(t *testing.T, m *machine) {
		m.put(t, "/proc/self/status", "CapEff:\t000001ffffffffff\n")
		m.namespaceIs(t, "user", "4026532000")
	}, OK, "65,536 for all processes", ""},
	{"nearly all open", "open files", func(t *testing.T, m *machine) { m.put(t, "/proc/sys/fs/file-nr", "361000\t0\t400000\n") }, Problem, "361,000 of at most 400,000", "fs.file-max|lsof"},
	{"no limit", "open files", func(t *testing.T, m *machine) { m.put(t, "/proc/sys/fs/file-nr", "900 0 9223372036854775807\n") }, OK, "900 of at most any number", ""},
	{"nonsense", "open files", func(t *testing.T, m *machine) { m.put(t, "/proc/sys/fs/file-nr", "a b c\n") }, Note, "unknown", ""},

	{"little address space", "limits", func(t *testing.T, m *machine) { m.limitIs(unix.RLIMIT_AS, gib) }, Problem, "1 GiB of address space", "ulimit -v"},
	{"enough for a ring", "limits", func(t *testing.T, m *machine) { m.limitIs(unix.RLIMIT_AS, 3<<29) }, Note, "1.5 GiB of address space|twice its --capacity", "ulimit -v"},
	{"small files", "limits", func(t *testing.T, m *machine) { m.limitIs(unix.RLIMIT_FSIZE, 2<<20) }, Note, "at most 2 MiB", "ulimit -f"},
	{"few threads of a user", "limits", func(t *testing.T, m *machine) {
		m.uid = 1000
		m.limitIs(unix.RLIMIT_NPROC, 40)
		m.put(t, "/proc/7/status", "Name:\ta\nUid:\t1000\t1000\t1000\t1000\nThreads:\t17\n")
		m.put(t, "/proc/8/status", "Name:\tb\nUid:\t1001\t1001\t1001\t1001\nThreads:\t99\n")
	}, Problem, "room for 23 more threads: two sides need 24", "ulimit -u|TasksMax=|--pids-limit"},
	{"few threads, and a right to more", "limits", func(t *testing.T, m *machine) {
		m.uid = 1000
		m.limitIs(unix.RLIMIT_NPROC, 4)
		m.put(t, "/proc/self/status", "CapEff:\t0000000001000000\n")
	}, OK, "none on", ""},
	{"few threads of a unit", "limits", func(t *testing.T, m *machine) {
		m.put(t, "/sys/fs/cgroup/user.slice/pids.max", "64\n")
		m.put(t, "/sys/fs/cgroup/user.slice/pids.current", "60\n")
	}, Problem, "room for 4 more threads", "TasksMax="},
	{"unknown", "limits", func(t *testing.T, m *machine) {
		m.rlimit = func(int) (unix.Rlimit, error) { return unix.Rlimit{}, unix.EPERM }
	}, OK, "none on", ""},

	{"one", "processors", func(t *testing.T, m *machine) { m.processors = 1 }, Note, "one for this process", "--spin 0"},
	{"memory for all", "memory", func(t *testing.T, m *machine) {}, OK, "11 GiB available|no limit", ""},
	{"little left", "memory", func(t *testing.T, m *machine) { m.put(t, "/proc/meminfo", "MemAvailable: 524288 kB\n") }, Note, "512 MiB available", "--limit 256MiB"},
	{"unknown", "memory", func(t *testing.T, m *machine) { m.remove("/proc/meminfo") }, Note, "unknown", ""},

	{"there are some", "huge pages", func(t *testing.T, m *machine) {}, OK, "4 MiB or more|--populate", ""},
	{"not built in", "huge pages", func(t *testing.T, m *machine) { m.hasHuge(t, "", unix.EINVAL) }, Note, "built without|pages of 4 KiB", ""},
	{"denied", "huge pages", func(t *testing.T, m *machine) { m.hasHuge(t, "always never [deny] force", unix.EINVAL) }, Note, "denied", "echo never"},
	{"too old", "huge pages", func(t *testing.T, m *machine) {
		m.release = "6.0.19"
		m.hasHuge(t, "[never] deny", unix.EINVAL)
	}, Note, "6.0.19|MADV_COLLAPSE", "6.1"},
	{"none free", "huge pages", func(t *testing.T, m *machine) { m.hasHuge(t, "[never] deny", unix.ENOMEM) }, Note, "none: ", ""},
	{"no room", "huge pages", func(t *testing.T, m *machine) {
		m.hasHuge(t, "[never] deny", nil)
		m.tryHuge = func() error { return unix.ENOSPC }
	}, Note, "not tried", "above"},
	{"another time", "clock", func(t *testing.T, m *machine) {
		m.put(t, "/proc/self/timens_offsets", "monotonic -3600 500\nboottime 0 0\n")
	}, Note, "off by -59m59.9999995s", "one time namespace"},
	{"another time since boot", "clock", func(t *testing.T, m *machine) {
		m.put(t, "/proc/self/timens_offsets", "monotonic 0 0\nboottime 77 0\n")
	}, OK, "latencies", ""},
	{"too old for barriers", "kernel", func(t *testing.T, m *machine) { m.release = "4.15.9" }, Note, "4.15.9|membarrier) since 4.16", "newer kernel"},
	{"too old for all", "kernel", func(t *testing.T, m *machine) { m.release = "2.6.32" }, Note, "O_TMPFILE|F_OFD_SETLK|memfd_create", "newer kernel"},
	{"just new enough", "kernel", func(t *testing.T, m *machine) { m.release = "4.16" }, OK, "Linux 4.16", ""},
	{"no number", "kernel", func(t *testing.T, m *machine) { m.release = "next" }, Note, "next", ""},

	{"in use", "segments", func(t *testing.T, m *machine) { m.holds(segment{name: "a", alive: true}) }, OK, "1 in use, none left behind", ""},
	{"left behind", "segments", func(t *testing.T, m *machine) {
		m.holds(segment{name: "a", unread: 1200}, segment{name: "b"}, segment{name: "c", alive: true})
	}, Note, "1 in use|a (1,200 unread), b (empty)", "--name NAME|gauge rm --yes --name a; gauge rm --name b"},
	{"left behind by bridges", "segments", func(t *testing.T, m *machine) {
		m.holds(segment{name: "a", unread: 1200, bridge: "bridge out"}, segment{name: "b", bridge: "bridge in"}, segment{name: "c"})
	}, Note, "a (1,200 unread, of bridge out), b (empty, of bridge in), c (empty)", "producer, consumer or bridge --name NAME|gauge rm --yes --name a; gauge rm --name b"},
	{"very many", "segments", func(t *testing.T, m *machine) {
		for i := range 9 {
			m.holds(segment{name: fmt.Sprint("n", i)})
		}
	}, Note, "n0 (empty)|n2 (empty), and 6 more (gauge ls)", "gauge rm --name n2; and 6 more"},
	{"of others", "segments", func(t *testing.T, m *machine) {
		m.holds(segment{name: "a", uid: m.uid + 1, unread: 5}, segment{name: "b", uid: m.uid + 1, err: shm.ErrUntrusted})
	}, OK, "2 of other users, none left", ""},
	{"damaged", "segments", func(t *testing.T, m *machine) { m.holds(segment{name: "a", err: layout.ErrCorrupt}) }, Note, "damaged or not a segment: a", "gauge rm --yes --name a|refuse"},
	{"a link", "segments", func(t *testing.T, m *machine) { m.holds(segment{name: "a", err: shm.ErrUntrusted}) }, Note, "damaged or not a segment: a", "rm /dev/shm/sluice.a"},
	{"not to be looked at", "segments", func(t *testing.T, m *machine) { m.holds(segment{name: "a", err: unix.EPERM}) }, Note, "cannot be read: a (operation not permitted)", "above"},
	{"damaged and left", "segments", func(t *testing.T, m *machine) {
		m.holds(segment{name: "a", err: layout.ErrVersion}, segment{name: "b", alive: true}, segment{name: "c"})
	}, Note, "1 in use; damaged or not a segment: a; without a live side: c (empty)", "use one again|gauge rm --yes --name a; gauge rm --name c"},
	{"meet, and run", "pairs", func(t *testing.T, m *machine) {}, OK, "no live side is stopped", ""},
	{"one is stopped", "pairs", func(t *testing.T, m *machine) {
		m.isTroubled(pairTrouble{"a", consumerStopped})
	}, Note, "a: the consumer (pid 7) is stopped", "a: continue it: kill -CONT 7"},
	{"do not meet", "pairs", func(t *testing.T, m *machine) {
		m.isTroubled(pairTrouble{"a", consumerStopped}, pairTrouble{"b", pressure.Verdict{Kind: pressure.Unconnected, Cause: pressure.CauseSockets,
			Figures: pressure.Figures{ProducerSocket: "/x/s", ConsumerSocket: "/y/s"}, Advice: []pressure.Advice{{Kind: pressure.AdviceSameSocket}}}})
	}, Problem, "a: the consumer (pid 7) is stopped|b: both sides are alive, but use different sockets: the producer connects to /x/s, the consumer listens at /y/s",
		"a: continue it: kill -CONT 7; b: start both with the same --socket"},
	{"a bridge without a server", "pairs", func(t *testing.T, m *machine) {
		v := pressure.Verdict{Kind: pressure.ConsumerBound, Cause: pressure.CauseBridgeConnection, Advice: []pressure.Advice{{Kind: pressure.AdviceCheckServer}}}
		v.BridgeFor = 12 * time.Second
		m.isTroubled(pairTrouble{"a", v})
	}, Note, "a: blocked: producer 0 %, consumer 0 % of the time; queue 0 % full; bridge: no connection to a server for 12 s", "a: see that the server runs"},
	{"no list", "pairs", func(t *testing.T, m *machine) {
		m.livePairs = func() ([]pairTrouble, error) { return nil, errors.New("gone") }
	}, Note, "gone", "fix /dev/shm"},
	{"no list", "segments", func(t *testing.T, m *machine) {
		m.list = func() ([]segment, error) { return nil, errors.New("gone") }
	}, Note, "gone", "fix /dev/shm"},
}

func files(n uint64) func() (unix.Rlimit, error) {
	return func() (unix.Rlimit, error) { return unix.Rlimit{Cur: n, Max: n}, nil }
}

// hasHuge sets how huge pages are configured, "" without any, and why there are none.
func (m *machine) hasHuge(t *testing.T, enabled string, err error) {
	if enabled != "" {
		m.put(t, hugePagesDir+"/shmem_enabled", enabled)
	}
	m.tryHuge = func() error { return fmt.Errorf("%w: %w", mapping.ErrNoHugePages, err) }
}

// limitIs sets a limit of the process, and leaves the others away.
func (m *machine) limitIs(resource int, n uint64) {
	m.rlimit = func(which int) (unix.Rlimit, error) {
		if which == resource {
			return unix.Rlimit{Cur: n, Max: n}, nil
		}
		return unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil
	}
}

// holds adds segments, of this user unless they say whose.
func (m *machine) holds(more ...segment) {
	all, _ := m.list()
	for _, s := range more {
		if s.uid == 0 {
			s.uid = m.uid
		}
		all = append(all, s)
	}
	m.list = func() ([]segment, error) { return all, nil }
}

var consumerStopped = pressure.Verdict{Kind: pressure.Stopped, Cause: pressure.CauseSignal,
	Figures: pressure.Figures{Role: layout.Consumer, PID: 7}, Advice: []pressure.Advice{{Kind: pressure.AdviceContinue, PID: 7}}}

// isTroubled says which live sides cannot go on.
func (m *machine) isTroubled(all ...pairTrouble) {
	m.livePairs = func() ([]pairTrouble, error) { return all, nil }
}

func TestFindings_Table(t *testing.T) {
	for _, row := range brokenMachines {
		t.Run(row.check+": "+row.name, func(t *testing.T) {
			m := healthy(t)
			row.spoil(t, m)
			m.finding(t, row.check).expect(t, row.state, row.text, row.fix)
		})
	}
}

func TestFindings_SocketPath(t *testing.T) {
	me := os.Geteuid()
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, m *machine, dir string)
		state State
		text  string
		fix   string
	}{
		{"not made yet", func(t *testing.T, m *machine, dir string) {}, OK, "sluice/NAME.sock", ""},
		{"there", func(t *testing.T, m *machine, dir string) { os.Mkdir(dir, 0o700) }, OK, "sluice/NAME.sock", ""},
		{"others may write", func(t *testing.T, m *machine, dir string) { os.Mkdir(dir, 0); os.Chmod(dir, 0o770) }, Problem, "is writable by others (mode 0770)", "chmod 700|--socket"},
		{"others may add to it, and not take away", func(t *testing.T, m *machine, dir string) { os.Mkdir(dir, 0); os.Chmod(dir, 0o777|os.ModeSticky) }, OK, "sluice/NAME.sock", ""},
		{"somebody else's", func(t *testing.T, m *machine, dir string) {
			os.Mkdir(dir, 0o700)
			if os.Chown(dir, me+7, -1) != nil {
				t.Skip("SKIPPED, NOT TESTED: only root can give a folder away")
			}
		}, Problem, fmt.Sprintf("has uid %d, want %d or 0", me+7, me), "chown|--socket"},
		{"a file", func(t *testing.T, m *machine, dir string) { os.WriteFile(dir, nil, 0o600) }, Problem, "not a directory", "--socket"},
		{"nowhere to make it", func(t *testing.T, m *machine, dir string) { m.socketIn(dir + "/none") }, Problem, "no such file", "--socket"},
		{"not writable", func(t *testing.T, m *machine, dir string) {
			os.Mkdir(dir, 0o500)
			m.mayWrite = func(path string) error {
				if path == dir {
					return unix.EACCES
				}
				return nil
			}
		}, Problem, "write to|permission denied", "--socket"},
		{"of a variable", func(t *testing.T, m *machine, dir string) { m.setenv("XDG_RUNTIME_DIR", filepath.Dir(dir)+"/") }, Note, "XDG_RUNTIME_DIR|uses another directory", "both sides|--socket"},
		{"of a variable that is not used", func(t *testing.T, m *machine, dir string) { m.setenv("XDG_RUNTIME_DIR", "/nowhere") }, OK, "NAME.sock", ""},
		{"long", func(t *testing.T, m *machine, dir string) {
			long := filepath.Join(filepath.Dir(dir), strings.Repeat("x", 60))
			os.Mkdir(long, 0o700)
			m.socketIn(long)
		}, Note, "names of at most|fit, not 64", "--socket"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := healthy(t)
			parent := shortDir(t)
			m.socketIn(parent)
			row.spoil(t, m, parent+"/sluice")
			m.finding(t, "socket path").expect(t, row.state, row.text, row.fix)
			if left, _ := filepath.Glob(parent + "/.sluice*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestFindings_SocketPath_LoginDirectory(t *testing.T) {
	m := healthy(t)
	own := fmt.Sprintf("/run/user/%d", m.uid)
	m.socket = func(name string) string { return own + "/sluice/" + name + ".sock" }
	m.setenv("XDG_RUNTIME_DIR", own)
	if f := m.finding(t, "socket path"); f.State == Note {
		t.Errorf("%+v", f)
	}
}
