package main_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/shm"
)

// line returns what gauge doctor prints about one check, its fix included.
func line(out, name string) string {
	var found strings.Builder
	inside := false
	for l := range strings.Lines(out) {
		if !strings.HasPrefix(l, " ") {
			inside = len(l) > 6 && strings.HasPrefix(l[6:], name+" ")
		}
		if inside {
			found.WriteString(strings.TrimSpace(l) + " ")
		}
	}
	return found.String()
}

// has expects words in that order, all in one finding.
func has(t *testing.T, out, name string, words ...string) {
	t.Helper()
	at := line(out, name)
	for _, w := range words {
		i := strings.Index(at, w)
		if i < 0 {
			t.Errorf("%s: no %q in\n%s", name, w, out)
			return
		}
		at = at[i+len(w):]
	}
}

// diagnosis is a line of --json.
type diagnosis struct{ Name, State, Text, Fix string }

func diagnoses(t *testing.T, out string) map[string]diagnosis {
	t.Helper()
	all := map[string]diagnosis{}
	for l := range strings.Lines(out) {
		var d diagnosis
		dec := json.NewDecoder(strings.NewReader(l))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&d); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		all[d.Name] = d
	}
	return all
}

// examined waits for gauge doctor --json, and expects the exit code that its findings
// call for.
func examined(t *testing.T, p *testenv.Process) (all map[string]diagnosis, problems []string) {
	t.Helper()
	code := p.Wait()
	all = diagnoses(t, p.Stdout.String())
	for name, d := range all {
		if d.State == "problem" {
			problems = append(problems, name)
		}
	}
	if len(all) < 15 || (len(problems) > 0) != (code == 1) || code > 1 {
		t.Errorf("%d findings, problems %q, exit code %d", len(all), problems, code)
	}
	if lines := strings.Count(p.Stderr.String(), "\n"); lines != code {
		t.Errorf("%d lines on standard error:\n%s", lines, p.Stderr.String())
	}
	return all, problems
}

// passing reports whether what a check finds is of everybody's processes and files, which come
// and go, those of other tests among them.
func passing(check string) bool {
	return check == "segments" || check == "pairs" || check == "open files"
}

func TestDoctor_ThisMachine(t *testing.T) {
	t.Parallel()
	p := testenv.Start(t, "gauge", "doctor")
	all, problems := examined(t, testenv.Start(t, "gauge", "doctor", "--json"))
	p.Wait()
	out := p.Stdout.String()
	for name, d := range all {
		word, ok := map[string]string{"ok": "ok ", "note": "note ", "problem": "FIX "}[d.State]
		if !ok || d.Text == "" || d.State == "problem" && d.Fix == "" {
			t.Errorf("%+v", d)
		}
		if !passing(name) && !strings.HasPrefix(line(out, name), word) {
			t.Errorf("%+v and\n%s", d, out)
		}
	}
	if fine := strings.HasSuffix(out, "\nno problems found\n"); fine == strings.Contains("\n"+out, "\nFIX ") {
		t.Errorf("problems %q, and\n%s", problems, out)
	}
	for _, place := range []string{shm.Dir, testenv.BinDir(), "/tmp"} {
		for _, pattern := range []string{"%s/.sluice-doctor.%d*", "%s/sluice.doctor.%d*", "%s/sluice*/doctor.%d*"} {
			if left, _ := filepath.Glob(fmt.Sprintf(pattern, place, p.Cmd.Process.Pid)); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		}
	}
}

func TestDoctor_DevShm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, mount string
		problem     string
		text        []string // in this order
	}{
		{"Docker's", "mount -t tmpfs -o size=64m,mode=1777 shm /dev/shm", "room",
			[]string{"FIX", "64 MiB free of 64 MiB", "--capacity 32MiB", "-> in a container", "--shm-size=1g", "--ipc=host"}},
		{"full", "mount -t tmpfs -o size=128m,mode=1777 tmpfs /dev/shm && ! head -c 200m /dev/zero >/dev/shm/filler", "room",
			[]string{"FIX", "0 B free of 128 MiB", "--capacity 1MiB and its header", "-> see what is in it", "remount,size=1g"}},
		{"without inodes", "mount -t tmpfs -o size=128m,nr_inodes=2,mode=1777 tmpfs /dev/shm && touch /dev/shm/filler", "room",
			[]string{"FIX", "all 2 inodes", "nr_inodes="}},
		{"read-only", "mount -t tmpfs -o ro,mode=1777,size=1g tmpfs /dev/shm", "/dev/shm", []string{"FIX", "read-only", "remount,rw"}},
		{"no sticky bit", "mount -t tmpfs -o mode=777,size=1g tmpfs /dev/shm", "/dev/shm", []string{"FIX", "anybody", "chmod +t"}},
		{"on a disk", "mount --bind " + testenv.BinDir() + " /dev/shm", "/dev/shm", []string{"FIX", "not on a tmpfs", "mount -t tmpfs"}},
		{"large enough", "mount -t tmpfs -o size=65m,mode=1777 tmpfs /dev/shm", "", []string{"ok", "65 MiB free of 65 MiB", "--capacity 64MiB"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.name == "on a disk" {
				var st unix.Statfs_t
				if err := unix.Statfs(testenv.BinDir(), &st); err != nil || st.Type == unix.TMPFS_MAGIC {
					t.Skipf("SKIPPED, NOT TESTED: %s is on no disk (%v)", testenv.BinDir(), err)
				}
			}
			p := testenv.StartWithMounts(t, "gauge", row.mount+` && "$0" doctor; code=$?; ls -A /dev/shm >&2; exit $code`)
			code, name := 1, row.problem
			if row.problem == "" {
				code, name = 0, "room"
			}
			p.WantExit(code)
			has(t, p.Stdout.String(), name, row.text...)
			said := p.Stderr.String()
			if row.problem != "" && !strings.Contains(said, "gauge: error: 1 problem found: "+row.problem+"\n") {
				t.Errorf("standard error:\n%s", said)
			}
			if strings.Contains(said, "doctor.") {
				t.Errorf("left in /dev/shm:\n%s", said)
			}
		})
	}
}

func TestDoctor_NoDevShm(t *testing.T) {
	t.Parallel()
	all, problems := examined(t, testenv.StartWithMounts(t, "gauge", `mount -t tmpfs tmpfs /dev && "$0" doctor --json`))
	if d := all["/dev/shm"]; d.State != "problem" || !strings.Contains(d.Fix, "mkdir") {
		t.Errorf("%+v", d)
	}
	if len(problems) > 1 { // one cause, one problem
		t.Errorf("problems %q", problems)
	}
}

func TestDoctor_NoProc(t *testing.T) {
	t.Parallel()
	p := testenv.StartWithMounts(t, "gauge", `mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm && mount -t tmpfs tmpfs /proc && "$0" doctor`)
	p.WantExit(1)
	has(t, p.Stdout.String(), "ring", "FIX", "without /proc", "-> as root: mount -t proc")
	if said := p.Stderr.String(); said != "gauge: error: 1 problem found: ring\n" { // one cause, one problem
		t.Errorf("standard error:\n%s", said)
	}
}

// doctor asks the code that the producer runs, under the limits that it runs under: what
// is too small for a ring may be enough for a transfer.
func TestDoctor_FileSizeLimit(t *testing.T) {
	t.Parallel()
	limited := func(kibibytes int, command ...string) *testenv.Process {
		script := fmt.Sprintf(`ulimit -f %d && exec "$0" "$@"`, kibibytes)
		p, err := testenv.StartCommand(t, exec.Command("bash", append([]string{"-c", script, testenv.Command(command[0])}, command[1:]...)...), testenv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for kibibytes, transfer := range map[int]string{256: "ok", 63: "note", 0: "note"} {
		all, problems := examined(t, limited(kibibytes, "gauge", "doctor", "--json"))
		if d := all["ring"]; d.State != "problem" || !strings.Contains(d.Text, "file too large") || !strings.Contains(d.Fix, "ulimit -f") {
			t.Errorf("%d KiB: %+v", kibibytes, d)
		}
		if d := all["transfer"]; d.State != transfer || transfer == "note" && !strings.Contains(d.Text, "file too large") {
			t.Errorf("%d KiB: %+v", kibibytes, d)
		}
		problems = slices.DeleteFunc(problems, passing)
		if !slices.Equal(problems, []string{"ring"}) { // one cause, one problem
			t.Errorf("%d KiB: problems %q", kibibytes, problems)
		}
	}
	name := testenv.SegmentName(t)
	producer := func(kibibytes int, args ...string) *testenv.Process {
		return limited(kibibytes, append([]string{"producer", "--name", name, "--count", "3", "--fresh"}, args...)...)
	}
	producer(256).WantHint(1, "file too large|ulimit -f|--capacity", "")
	producer(63, "--mode", "transfer").WantHint(1, "file too large|ulimit -f", "--capacity")
	// What can never be handed over is refused before it is made.
	for _, args := range []string{"--size 262145", "--size 262145 --recycle", "--size 262144 --buffer 4KiB"} {
		producer(256, append([]string{"--mode", "transfer"}, strings.Fields(args)...)...).WantHint(2, "a message can have at most 2621|ulimit -f", "--limit")
	}
	producer(256, "--mode", "transfer", "--buffer", "1MiB").WantHint(1, "buffers of 1048576 bytes: file too large|ulimit -f", "")
	for _, args := range []string{"--size 262144", "--size 262144 --recycle", "--size 240000 --recycle", "--size 262129 --buffer 4KiB", "--buffer 256KiB"} {
		c := testenv.Start(t, "consumer", "--name", name, "--verify")
		producer(256, append([]string{"--mode", "transfer"}, strings.Fields(args)...)...).WantExit(0)
		c.WantExit(0)
	}
}

func TestDoctor_FewDescriptors(t *testing.T) {
	t.Parallel()
	doctor := func(limit string) diagnosis {
		p, err := testenv.StartCommand(t, exec.Command("sh", "-c", `ulimit -n `+limit+` && "$0" doctor --json`, testenv.Command("gauge")), testenv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all, _ := examined(t, p)
		return all["descriptors"]
	}
	if d := doctor("64"); d.State != "problem" || !strings.HasPrefix(d.Text, "64 a process") || !strings.Contains(d.Fix, "LimitNOFILE=") {
		t.Errorf("%+v", d)
	}
	if d := doctor("1024"); d.State != "note" || !strings.Contains(d.Text, "896 buffers") || !strings.Contains(d.Fix, "--buffer 64KiB") {
		t.Errorf("%+v", d)
	}
}

func TestDoctor_OrdinaryUser(t *testing.T) {
	t.Parallel()
	testenv.RequireRoot(t)
	mine := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", mine, "--count", "3").WantExit(0)
	_, before := examined(t, testenv.Start(t, "gauge", "doctor", "--json"))
	all, problems := examined(t, testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"doctor", "--json"}, Attr: testenv.AsUser(t, testenv.Nobody), Env: []string{"XDG_RUNTIME_DIR="}}))
	for _, name := range problems {
		if !slices.Contains(before, name) && !passing(name) {
			t.Errorf("%+v", all[name])
		}
	}
	if d := all["segments"]; !strings.Contains(d.Text, "of other users") || strings.Contains(d.Text, mine) {
		t.Errorf("%+v", d)
	}
	if d := all["descriptors"]; !strings.Contains(d.Text, "for all processes of this user") {
		t.Errorf("%+v", d)
	}

	p := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"doctor"}, Attr: testenv.AsUser(t, testenv.Nobody)}) // with a directory of root's
	p.WantExit(1)
	has(t, p.Stdout.String(), "socket path", "FIX", "permission denied", "-> ", "--socket PATH")
}

func TestDoctor_RefusedCalls(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		call               string
		check, state, text string
		fix                string
	}{
		{"membarrier", "membarrier", "note", "full fence", "seccomp"},
		{"memfd_create", "transfer", "problem", "memfd_create: operation not permitted", "--mode ring"},
		{"fcntl(F_GET_SEALS)", "transfer", "problem", "fcntl(F_GET_SEALS): ", "--mode ring"},
		{"getsockopt(SO_PEERCRED)", "transfer", "problem", "getsockopt(SO_PEERCRED): ", "--mode ring"},
		{"sendmsg", "transfer", "problem", "sendmsg: ", "--mode ring"},
		{"recvmsg", "transfer", "problem", "recvmsg: ", "--mode ring"},
		{"accept4", "transfer", "problem", "accept4: ", "--mode ring"},
		{"connect", "transfer", "problem", "connect: ", "--mode ring"},
		{"link", "ring", "problem", "link", "seccomp"},
		{"fallocate", "ring", "problem", "fallocate: ", "seccomp"},
		{"fcntl(F_OFD_SETLK)", "ring", "problem", "fcntl(F_OFD_SETLK): ", "seccomp"},
		{"fcntl(F_OFD_GETLK)", "ring", "note", "works, but", "F_OFD_GETLK"},
		{"futex wake", "futex", "problem", "futex wake: ", "seccomp"},
	} {
		t.Run(row.call, func(t *testing.T) {
			t.Parallel()
			p := testenv.StartSandboxed(t, unix.EPERM, []seccomp.Rule{testenv.Calls[row.call]}, "gauge", "doctor", "--json")
			all, problems := examined(t, p)
			if d := all[row.check]; d.State != row.state || !strings.Contains(d.Text, row.text) || !strings.Contains(d.Fix, row.fix) {
				t.Errorf("%+v", d)
			}
			named := strings.Contains(p.Stderr.String(), row.check)
			if row.state == "problem" && !named || row.state == "note" && slices.Contains(problems, row.check) {
				t.Errorf("problems %q; standard error:\n%s", problems, p.Stderr.String())
			}
		})
	}
}

func TestDoctor_LeftSegments(t *testing.T) {
	t.Parallel()
	p := testenv.StartWithMounts(t, "gauge", `mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm && cd "${0%/*}" &&
		./producer --name left --count 12 --report 0 2>/dev/null && ./gauge doctor &&
		head -c 8192 /dev/zero >/dev/shm/sluice.broken && ./gauge doctor --json &&
		./gauge rm --yes --name broken && ./gauge rm --yes --name left && ./gauge doctor --json`)
	p.WantExit(0)
	text, rest, _ := strings.Cut(p.Stdout.String(), "no problems found\n")
	has(t, text, "segments", "note", "0 in use", "left (12 unread)", "-> use one again", "gauge rm --yes --name left")
	broken, whole, _ := strings.Cut(rest, "removed /dev/shm/sluice.broken\n")
	if d := diagnoses(t, broken)["segments"]; d.State != "note" || !strings.Contains(d.Text, "damaged or not a segment: broken") || !strings.Contains(d.Fix, "gauge rm --yes --name broken; gauge rm --yes --name left") {
		t.Errorf("%+v", d)
	}
	_, whole, _ = strings.Cut(whole, "\n")
	if d := diagnoses(t, whole)["segments"]; d.State != "ok" || !strings.Contains(d.Text, "none left behind") {
		t.Errorf("%+v", d)
	}
}

func TestDoctor_OutputClosed(t *testing.T) {
	t.Parallel()
	r, w := testenv.Pipe(t)
	r.Close()
	defer w.Close()
	p := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"doctor"}, Stdout: w})
	p.WantExit(1)
	if !strings.Contains(p.Stderr.String(), "broken pipe") {
		t.Errorf("standard error:\n%s", p.Stderr.String())
	}
}
