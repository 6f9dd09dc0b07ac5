package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const gib = 1 << 30

// healthy is a machine without a problem, for user 1000. Its files lie
// under a folder of the test's.
func healthy(t *testing.T) *machine {
	t.Helper()
	m := &machine{
		root: t.TempDir(), dir: t.TempDir(), uid: 1000, env: func(string) string { return "" },
		processors: 4, release: "6.1.0-test", storesOvertaken: true,
		statfs: statfs(unix.Statfs_t{Type: unix.TMPFS_MAGIC, Bsize: 4096, Blocks: 4 * gib / 4096, Bavail: 3 * gib / 4096, Files: 1000, Ffree: 900}),
		files:  func() (unix.Rlimit, error) { return unix.Rlimit{Cur: 65536, Max: 65536}, nil },
		rlimit: func(int) (unix.Rlimit, error) {
			return unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil
		},
		list: func() ([]segment, error) { return nil, nil },

		livePairs: func() ([]pairTrouble, error) { return nil, nil },

		mayWrite:      func(string) error { return nil },
		probeRing:     func() error { return nil },
		probeFutex:    func() error { return nil },
		tryWaitAny:    func() error { return nil },
		hasBarrier:    func() bool { return true },
		probeTransfer: func() error { return nil },
		tryHuge:       func() error { return nil },
	}
	if err := os.Chmod(m.dir, 0o1777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	m.socketIn(shortDir(t))
	m.uid = os.Geteuid() // whose the folder for the socket is; RemoveIPC has a uid of its own
	m.put(t, "/proc/self/mountinfo", strings.Join([]string{
		"22 1 0:21 / / rw,relatime - ext4 /dev/sda1 rw",
		"25 22 0:24 / " + m.dir + " rw,nosuid,nodev shared:4 - tmpfs tmpfs rw,inode64",
		"31 22 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw",
	}, "\n"))
	m.put(t, "/proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n")
	m.put(t, "/proc/self/status", "Name:\tgauge\nCapEff:\t0000000000000000\n")
	m.put(t, "/proc/self/timens_offsets", "monotonic           0         0\nboottime            0         0\n")
	m.put(t, "/proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n")
	m.put(t, "/proc/sys/fs/file-nr", "1000\t0\t400000\n")
	m.put(t, "/proc/1/cgroup", "0::/init.scope\n")
	m.put(t, "/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
	for kind, number := range map[string]string{"ipc": firstIPC, "uts": firstUTS, "user": firstUser, "pid": firstPID, "cgroup": firstCgroup} {
		m.namespaceIs(t, kind, number)
	}
	return m
}

// put writes a file of the machine.
func (m *machine) put(t *testing.T, path, text string) {
	t.Helper()
	path = m.root + path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// link makes a symbolic link of the machine.
func (m *machine) link(t *testing.T, path, to string) {
	t.Helper()
	path = m.root + path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) remove(path string) { os.Remove(m.root + path) }

func (m *machine) namespaceIs(t *testing.T, kind, number string) {
	t.Helper()
	m.link(t, "/proc/self/ns/"+kind, kind+":["+number+"]")
}

// socketIn puts the sockets into a folder "sluice" of dir.
func (m *machine) socketIn(dir string) {
	m.socket = func(name string) string { return filepath.Join(dir, "sluice", name+".sock") }
}

// shortDir is a folder with a path that leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (m *machine) setenv(key, value string) {
	m.env = func(k string) string {
		if k == key {
			return value
		}
		return ""
	}
}

func statfs(st unix.Statfs_t) func(string, *unix.Statfs_t) error {
	return func(_ string, out *unix.Statfs_t) error { *out = st; return nil }
}

func space(total, free uint64) unix.Statfs_t {
	return unix.Statfs_t{Type: unix.TMPFS_MAGIC, Bsize: 4096, Blocks: total / 4096, Bavail: free / 4096, Files: 1000, Ffree: 900}
}

// finding makes the check called name.
func (m *machine) finding(t *testing.T, name string) Finding {
	t.Helper()
	for _, f := range examine(m) {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no check %q", name)
	return Finding{}
}

// expect compares a finding; both texts are words that have to be there, separated by
// "|".
func (f Finding) expect(t *testing.T, state State, text, fix string) {
	t.Helper()
	if f.State != state {
		t.Errorf("%s: %v %q, want %v", f.Name, f.State, f.Text, state)
	}
	for _, word := range strings.Split(text, "|") {
		if !strings.Contains(f.Text, word) {
			t.Errorf("%s says %q, without %q", f.Name, f.Text, word)
		}
	}
	for _, word := range strings.Split(fix, "|") {
		if !strings.Contains(f.Fix, word) {
			t.Errorf("%s: fix %q, without %q", f.Name, f.Fix, word)
		}
	}
	if fix == "" && f.Fix != "" {
		t.Errorf("%s: fix %q where none is needed", f.Name, f.Fix)
	}
}

func TestMachine_Healthy_NoProblem(t *testing.T) {
	for _, f := range examine(healthy(t)) {
		if f.State != OK || f.Text == "" || f.Fix != "" {
			t.Errorf("%+v", f)
		}
	}
}

// What is not there is not known, and no reason to fail.
func TestMachine_UnknownEverything(t *testing.T) {
	m := healthy(t)
	m.root = t.TempDir()
	for _, f := range examine(m) {
		if f.State == Problem || f.Text == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestMachine_EveryProblemHasFix(t *testing.T) {
	m := healthy(t)
	m.probeFutex = func() error { return unix.EPERM }
	m.probeRing, m.probeTransfer = m.probeFutex, m.probeFutex
	m.statfs = statfs(unix.Statfs_t{})
	m.put(t, "/proc/sys/fs/file-nr", "9 0 10")
	m.files = func() (unix.Rlimit, error) { return unix.Rlimit{Cur: 10}, nil }
	problems := 0
	for _, f := range examine(m) {
		if f.State == Problem {
			problems++
			if f.Fix == "" {
				t.Errorf("%+v", f)
			}
		}
	}
	if problems < 5 {
		t.Errorf("only %d problems", problems)
	}
}
