package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/futex"
	"sluice/internal/seccomp"
	"sluice/layout"
	"sluice/shm"
)

// What is tried on a machine. It works on every one that runs the tests.
var tried = map[string]func() error{
	"ring":       probeRing,
	"futex":      probeFutex,
	"many rings": futex.TryWaitAny,
	"transfer":   probeTransfer,
}

// open lists what this process has open, and what doctor has left in shm.Dir.
func open(t *testing.T) string {
	t.Helper()
	all, _ := filepath.Glob(shm.Path(fmt.Sprintf("doctor.%d.*", os.Getpid())))
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		file, err := os.Readlink(fd)
		listing, poller := strings.HasPrefix(file, "/proc/"), strings.HasPrefix(file, "anon_inode:[event")
		if err == nil && !listing && !poller {
			all = append(all, filepath.Base(fd)+" "+file)
		}
	}
	return strings.Join(all, "\n")
}

func TestProbes_WorkAndLeaveNothing(t *testing.T) {
	before := open(t)
	for name, try := range tried {
		for range 20 {
			if err := try(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if after := open(t); after != before {
		t.Errorf("open before:\n%s\nafter:\n%s", before, after)
	}
}

// under runs fn where the kernel refuses what the rules say.
func under(t *testing.T, errno unix.Errno, fn func(), rules ...seccomp.Rule) {
	t.Helper()
	if err := seccomp.Under(errno, fn, rules...); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
}

func TestProbes_RefusedCall_Found(t *testing.T) {
	const sharedWait, sharedWake = 0, 1 // Go's own runtime uses private ones
	for _, row := range []struct {
		name, check string
		rule        seccomp.Rule
	}{
		{"an unnamed file", "ring", seccomp.CallWith(unix.SYS_OPENAT, 3, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC)},
		{"memory for it", "ring", seccomp.Call(unix.SYS_FALLOCATE)},
		{"a name for it", "ring", seccomp.Call(unix.SYS_LINKAT)},
		{"to lock", "ring", seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_SETLK)},
		{"to look at locks", "ring", seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_GETLK)},
		{"to sleep", "futex", seccomp.CallWith(unix.SYS_FUTEX, 2, sharedWait)},
		{"to wake", "futex", seccomp.CallWith(unix.SYS_FUTEX, 2, sharedWake)},
		{"to sleep on several", "many rings", seccomp.Call(449)},
	} {
		t.Run(row.check+": "+row.name, func(t *testing.T) {
			before, err := open(t), error(nil)
			under(t, unix.EPERM, func() { err = tried[row.check]() }, row.rule)
			if !errors.Is(err, unix.EPERM) {
				t.Errorf("refused, and the error is %v", err)
			}
			if after := open(t); after != before {
				t.Errorf("open before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// Kernels and sandboxes that say yes and do nothing.
func TestProbes_CallFakesSuccess_Found(t *testing.T) {
	for _, row := range []struct {
		check string
		rule  seccomp.Rule
		text  string
	}{
		{"ring", seccomp.CallWith(unix.SYS_FCNTL, 2, unix.F_OFD_SETLK), "granted twice"},
		{"futex", seccomp.CallWith(unix.SYS_FUTEX, 2, 0), "not with not-equal"},
		{"futex", seccomp.CallWith(unix.SYS_FUTEX, 2, 1), "no sleeper was there"},
	} {
		var err error
		under(t, 0, func() { err = tried[row.check]() }, row.rule)
		if err == nil || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: %v, want %q", row.check, err, row.text)
		}
	}
}

func TestProbes_Segments(t *testing.T) {
	names := map[string]string{}
	for _, what := range []string{"live", "left", "broken", "link"} {
		names[what] = fmt.Sprintf("doctortest.%d.%s", os.Getpid(), what)
		path := shm.Path(names[what])
		t.Cleanup(func() { os.Remove(path) })
	}
	ring, err := layout.RingGeometry(1<<16, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"live", "left"} {
		s, err := shm.Create(names[what], ring, layout.Producer)
		if err != nil {
			t.Fatal(err)
		}
		s.Header().Producer.Count.Store(7)
		s.Header().Producer.Index.Store(7 * 16)
		s.Header().Producer.NextIndex.Store(7 * 16)
		leave := func() { s.Leave(func() bool { return false }) }
		if what == "left" {
			leave()
		} else {
			t.Cleanup(leave)
		}
	}
	if err := os.WriteFile(shm.Path(names["broken"]), []byte("not a segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", shm.Path(names["link"])); err != nil {
		t.Fatal(err)
	}
	before := open(t)
	all, err := listSegments()
	if err != nil {
		t.Fatal(err)
	}
	if after := open(t); after != before {
		t.Errorf("open before:\n%s\nafter:\n%s", before, after)
	}
	seen := map[string]segment{}
	for _, s := range all {
		seen[s.name] = s
	}
	me := os.Geteuid()
	if s := seen[names["live"]]; !s.alive || s.unread != 7 || s.err != nil || s.uid != me {
		t.Errorf("live: %+v", s)
	}
	if s := seen[names["left"]]; s.alive || s.unread != 7 || s.err != nil || s.uid != me {
		t.Errorf("left: %+v", s)
	}
	if s := seen[names["broken"]]; !errors.Is(s.err, layout.ErrNotSegment) || s.uid != me {
		t.Errorf("broken: %+v", s)
	}
	if s := seen[names["link"]]; !errors.Is(s.err, shm.ErrUntrusted) {
		t.Errorf("link: %+v", s)
	}
}

func TestExamine_ThisMachine(t *testing.T) {
	before := open(t)
	all := Examine()
	if len(all) != len(checks) {
		t.Errorf("%d findings of %d checks", len(all), len(checks))
	}
	for _, f := range all {
		if f.Name == "" || f.Text == "" || f.State == Problem && f.Fix == "" {
			t.Errorf("%+v", f)
		}
	}
	if after := open(t); after != before {
		t.Errorf("open before:\n%s\nafter:\n%s", before, after)
	}
}
