package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sluice/internal/testenv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a shell in it.
type terminal struct {
	t      *testing.T
	master *os.File
	shell  *testenv.Process
	output testenv.Buffer
	mark   int // of the output that was seen
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no bash, which stops jobs and lets them go on")
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: cannot open a terminal: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	x := &terminal{t: t, master: master}
	x.shell, err = testenv.StartCommand(t, exec.Command(bash, "--norc", "--noprofile", "-i"), testenv.Options{
		Stdin: slave, Stdout: slave, Stderr: slave, Env: []string{"TERM=xterm-256color", "PS1=$ ", "LC_ALL=C.UTF-8"},
		Attr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			if x.output.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	return x
}

func (x *terminal) typed(keys string) {
	x.t.Helper()
	x.mark = len(x.output.String())
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// shows waits until the terminal has been sent the text since the last keys.
func (x *terminal) shows(text string) {
	x.t.Helper()
	testenv.Eventually(x.t, fmt.Sprintf("%q in the terminal", text), func() bool { return strings.Contains(x.output.String()[x.mark:], text) })
}

// raw reports whether keys go to a program one by one, as they are.
func (x *terminal) raw() bool {
	x.t.Helper()
	settings, err := unix.IoctlGetTermios(int(x.master.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return settings.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0
}

// ownScreen reports whether a program has the screen for itself, apart from what was
// on it before.
func (x *terminal) ownScreen() bool {
	all := x.output.String()
	return strings.LastIndex(all, "\x1b[?1049h") > strings.LastIndex(all, "\x1b[?1049l")
}

// job returns the process id of the shell's child.
func (x *terminal) job() (pid int) {
	x.t.Helper()
	testenv.Eventually(x.t, "a child of the shell", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", x.shell.Cmd.Process.Pid))
		if err != nil {
			x.t.Fatal(err)
		}
		n, _ := fmt.Sscan(string(children), &pid)
		return n == 1
	})
	return pid
}

// stopped reports whether a process is stopped by a signal.
func stopped(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return bytes.HasPrefix(rest, []byte("T"))
}

// watching starts gauge watch in the terminal and waits until it takes keys.
func (x *terminal) watching(args ...string) (pid int) {
	x.t.Helper()
	x.typed(testenv.Command("gauge") + " watch " + strings.Join(args, " ") + "; echo code $?\n")
	testenv.Eventually(x.t, "gauge watch has the terminal", x.raw)
	x.shows("q: quit")
	return x.job()
}

// However gauge watch is stopped, the terminal is the shell's meanwhile, and after fg
// keys do again what they did.
func TestWatch_JobControl(t *testing.T) {
	t.Parallel()
	x := openTerminal(t)
	pid := x.watching("--name", testenv.SegmentName(t))
	paused := "pause"
	for _, stop := range []struct {
		how string
		do  func()
		own bool // nobody asked gauge: the screen is as it was
	}{
		{"Ctrl-Z", func() { x.typed("\x1a") }, false},
		{"SIGTSTP", func() { unix.Kill(pid, unix.SIGTSTP) }, false},
		{"SIGSTOP", func() { unix.Kill(pid, unix.SIGSTOP) }, true},
		{"Ctrl-Z again", func() { x.typed("\x1a") }, false},
	} {
		stop.do()
		testenv.Eventually(t, stop.how+" stops it", func() bool { return stopped(pid) })
		testenv.Eventually(t, "the terminal is the shell's after "+stop.how, func() bool { return !x.raw() && (stop.own || !x.ownScreen()) })
		x.typed("fg\n")
		testenv.Eventually(t, "gauge watch has the terminal again after "+stop.how, func() bool { return !stopped(pid) && x.raw() && x.ownScreen() })
		x.shows("q: quit") // all is drawn again
		if paused = map[string]string{"pause": "continue", "continue": "pause"}[paused]; true {
			x.typed(" ")
			x.shows(paused)
		}
	}
	x.typed("q")
	testenv.Eventually(t, "q ends it", func() bool { return !x.raw() && !x.ownScreen() })
	x.shows("$ ")
}

func TestWatch_Signals_TerminalRestored(t *testing.T) {
	t.Parallel()
	for _, signal := range []unix.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGINT} {
		x := openTerminal(t)
		pid := x.watching("--name", testenv.SegmentName(t))
		unix.Kill(pid, signal)
		x.shows("code 0")
		if x.raw() || x.ownScreen() {
			t.Errorf("after %v: raw %v, a screen of its own %v", signal, x.raw(), x.ownScreen())
		}
	}
}

// A terminal that cannot move the cursor would show the escape sequences.
func TestWatch_DumbTerminal_PrintsOnce(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1").WantExit(0)
	x := openTerminal(t)
	for _, kind := range []string{"dumb", ""} {
		x.typed("TERM=" + kind + " " + testenv.Command("gauge") + " watch --name " + name + "; echo code $?\n")
		x.shows("code 0")
		said := x.output.String()[x.mark:]
		if !strings.Contains(said, "gauge: note: a terminal with TERM="+kind+" cannot move the cursor") || !strings.Contains(said, "no-consumer") || strings.Contains(said, "\x1b[?1049h") || strings.Contains(said, "\x1b[H") {
			t.Errorf("with TERM=%s:\n%q", kind, said)
		}
	}
}

// Where no shell would let it go on, Ctrl-Z must not end all it does.
func TestWatch_NoShell_CtrlZDoesNotStop(t *testing.T) {
	t.Parallel()
	x := openTerminal(t)
	x.typed("exec " + testenv.Command("gauge") + " watch --name " + testenv.SegmentName(t) + "\n")
	testenv.Eventually(t, "gauge watch has the terminal", x.raw)
	x.shows("q: quit")
	x.typed("\x1a")
	x.shows("q: quit") // it draws all again
	x.typed(" ")
	x.shows("continue")
	x.typed("q")
	x.shell.WantExit(0)
}

// A terminal that is gone is noticed, also where its signal is ignored.
func TestWatch_TerminalGone_Exit1(t *testing.T) {
	t.Parallel()
	x := openTerminal(t)
	said := filepath.Join(t.TempDir(), "said")
	x.typed(`trap "" HUP; exec ` + testenv.Command("gauge") + " watch --name " + testenv.SegmentName(t) + " 2> " + said + "\n")
	testenv.Eventually(t, "gauge watch has the terminal", x.raw)
	x.shows("q: quit")
	x.master.Close()
	x.shell.WantExit(1)
	text, err := os.ReadFile(said)
	if err != nil || string(text) != "gauge: error: the terminal is gone: input/output error\n" {
		t.Errorf("%q, %v", text, err)
	}
}
