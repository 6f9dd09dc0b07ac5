package testenv

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/procinfo"
)

// Process is a command that runs, or has run, for a test.
type Process struct {
	Cmd            *exec.Cmd
	Stdout, Stderr Buffer        // what it has printed so far
	Exited         chan struct{} // closed when it has ended

	t testing.TB
}

// Options says how a command is started. The zero value is a command without arguments
// that reads /dev/null and whose output is kept.
type Options struct {
	Args   []string // of [StartWith]
	Stdin  io.Reader
	Stdout *os.File // instead of keeping it
	Stderr *os.File // likewise
	Env    []string // besides this process's
	Attr   *syscall.SysProcAttr
	Start  func(*exec.Cmd) error // instead of (*exec.Cmd).Start on the spawner's thread
}

// StartCommand starts cmd. It is killed when the test ends; unless opt.Start is set, also
// when this process ends, however it does.
func StartCommand(t testing.TB, cmd *exec.Cmd, opt Options) (*Process, error) {
	t.Helper()
	ReadSources()
	p := &Process{t: t, Cmd: cmd, Exited: make(chan struct{})}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = opt.Stdin, &p.Stdout, &p.Stderr, opt.Attr
	if opt.Stdout != nil {
		cmd.Stdout = opt.Stdout
	}
	if opt.Stderr != nil {
		cmd.Stderr = opt.Stderr
	}
	cmd.Env = append(os.Environ(), opt.Env...)
	begin := opt.Start
	if begin == nil {
		begin = startInSpawner
	}
	if err := begin(cmd); err != nil {
		return nil, err
	}
	go func() { cmd.Wait(); close(p.Exited) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-p.Exited })
	return p, nil
}

// spawner runs functions on one thread that lives as long as this process. A process that
// asks for a signal at the death of its parent gets it when the thread that started it
// ends.
var spawner = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for f := range spawner {
			f()
		}
	}()
}

// startInSpawner starts a command that is killed when this process ends.
func startInSpawner(cmd *exec.Cmd) error {
	attr := syscall.SysProcAttr{}
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = &attr
	started := make(chan error)
	spawner <- func() { started <- cmd.Start() }
	return <-started
}

// Wait waits for the end of the process and returns its exit code; -1 after a signal. It
// fails the test after [Timeout], with where the goroutines of the process are.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.Exited:
	case <-time.After(Timeout):
		p.Cmd.Process.Signal(unix.SIGQUIT)
		select {
		case <-p.Exited:
		case <-time.After(5 * time.Second):
		}
		p.t.Fatalf("%v still runs; stderr:\n%s", p.Cmd.Args, p.Stderr.String())
	}
	return p.Cmd.ProcessState.ExitCode()
}

// WantExit waits for the end of the process and expects that exit code.
func (p *Process) WantExit(code int) {
	p.t.Helper()
	if got := p.Wait(); got != code {
		p.t.Fatalf("%v: exit code %d, want %d; stderr:\n%s", p.Cmd.Args, got, code, p.Stderr.String())
	}
}

// EventuallyPrints waits until text is in what the process has printed on standard error.
func (p *Process) EventuallyPrints(text string) {
	p.t.Helper()
	Eventually(p.t, fmt.Sprintf("%q of %v", text, p.Cmd.Args), func() bool { return strings.Contains(p.Stderr.String(), text) })
}

// Signal sends a signal to a process that runs.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// SignalTwice sends SIGTERM until the process has ended, which takes two that are too far
// apart to be taken for one.
func (p *Process) SignalTwice() {
	p.t.Helper()
	Eventually(p.t, fmt.Sprintf("the end of %v", p.Cmd.Args), func() bool {
		p.Cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-p.Exited:
			return true
		case <-time.After(10 * time.Millisecond):
			return false
		}
	})
}

// Pause sends SIGSTOP and waits until no thread of the process runs: each one goes on until
// the thread that the signal is given to has had a processor.
func (p *Process) Pause() {
	p.t.Helper()
	p.Signal(unix.SIGSTOP)
	Eventually(p.t, fmt.Sprintf("a stop of %v", p.Cmd.Args), func() bool {
		running := false
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Cmd.Process.Pid))
		for _, path := range threads {
			stat, err := os.ReadFile(path)
			_, state, _ := strings.Cut(string(stat), ") ") // after the name
			running = running || err == nil && !strings.HasPrefix(state, "T")
		}
		return len(threads) > 0 && !running
	})
}

// Continue sends SIGCONT.
func (p *Process) Continue() { p.t.Helper(); p.Signal(unix.SIGCONT) }

// Kill is kill -9. It returns when the process is gone.
func (p *Process) Kill() { p.t.Helper(); p.Signal(os.Kill); <-p.Exited }

// MemfdBytes returns the memory of all buffers of transfers that some processes have open or
// mapped, each counted once, in bytes.
func MemfdBytes(pids ...int) uint64 { return procinfo.MemfdBytes("sluice", pids...) }
