// Package cmd_test runs the commands as a user does: built, in processes of
// their own, over segments in /dev/shm.
package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

var bin string // where the commands were built

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		panic(err)
	}
	bin = dir
	// What this process ignores the commands would ignore too: go test in the background of
	// a script ignores SIGINT.
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	os.Setenv("XDG_RUNTIME_DIR", dir) // where the sockets go
	build := exec.Command("go", "build", "-o", dir, "./producer", "./consumer", "./gauge")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the commands: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// openSources keeps go test from showing an old result: what runs here is not
// linked into the test, but a file that was opened while a test ran (not before,
// in TestMain) is looked at again.
var openSources = sync.OnceFunc(func() {
	filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && (ext == ".go" || ext == ".s" || ext == ".mod") {
			os.ReadFile(path)
		}
		return err
	})
})

// patience is how long a step may take before the test gives up on it. It only
// bounds a failure; no test passes by waiting for it.
const patience = 60 * time.Second

// segmentName returns a name that no other test has, and removes what is left
// of it at the end.
func segmentName(t *testing.T) string {
	name := fmt.Sprintf("test.%d.%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() { os.Remove(shm.Path(name)) })
	return name
}

var names atomic.Int64

// proc is a running command.
type proc struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr lockedBuffer
	exited         chan struct{}
}

// run is how to start a command; only Args is needed.
type run struct {
	Args   []string
	Stdin  io.Reader
	Stdout *os.File // instead of keeping it
	Stderr *os.File // likewise
	Env    []string
	Attr   *syscall.SysProcAttr
	Start  func(*exec.Cmd) error // instead of startInNursery
}

func start(t *testing.T, name string, args ...string) *proc {
	return startWith(t, name, run{Args: args})
}

func startWith(t *testing.T, name string, r run) *proc {
	t.Helper()
	p, err := startCommand(t, exec.Command(filepath.Join(bin, name), r.Args...), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nursery is the thread that starts the commands. They end with it, so also when
// this process is killed, or runs into the time limit of go test.
var nursery = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range nursery {
			start()
		}
	}()
}

func startInNursery(cmd *exec.Cmd) error {
	attr := syscall.SysProcAttr{}
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = &attr
	started := make(chan error)
	nursery <- func() { started <- cmd.Start() }
	return <-started
}

func startCommand(t *testing.T, cmd *exec.Cmd, r run) (*proc, error) {
	openSources()
	p := &proc{t: t, cmd: cmd, exited: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = r.Stdin, &p.stdout, &p.stderr, r.Attr
	if r.Stdout != nil {
		p.cmd.Stdout = r.Stdout
	}
	if r.Stderr != nil {
		p.cmd.Stderr = r.Stderr
	}
	p.cmd.Env = append(os.Environ(), r.Env...)
	begin := startInNursery
	if r.Start != nil {
		begin = r.Start
	}
	if err := begin(p.cmd); err != nil {
		return nil, err
	}
	go func() { p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() { p.cmd.Process.Kill(); <-p.exited })
	return p, nil
}

// reporting waits for the first line of a report.
func (p *proc) reporting() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.stderr.String(), "\n"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%v does not report", p.cmd.Args)
		}
	}
}

// wait returns the exit code; -1 after a signal.
func (p *proc) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.cmd.Process.Signal(unix.SIGQUIT) // it writes where its goroutines are
		select {
		case <-p.exited:
		case <-time.After(5 * time.Second):
		}
		p.t.Fatalf("%v still runs; stderr:\n%s", p.cmd.Args, p.stderr.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// ends expects that the command ends with exit code want.
func (p *proc) ends(want int) {
	p.t.Helper()
	if got := p.wait(); got != want {
		p.t.Fatalf("%v: exit code %d, want %d; stderr:\n%s", p.cmd.Args, got, want, p.stderr.String())
	}
}

func (p *proc) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// pause is SIGSTOP, and waits until no thread runs any more: they all go on until the one
// that is given the signal has had a processor.
func (p *proc) pause() {
	p.t.Helper()
	p.signal(unix.SIGSTOP)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		running := false
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		for _, path := range threads {
			stat, err := os.ReadFile(path)
			_, state, _ := strings.Cut(string(stat), ") ") // after the name
			running = running || err == nil && !strings.HasPrefix(state, "T")
		}
		if len(threads) > 0 && !running {
			return
		}
	}
	p.t.Fatalf("%v does not stop", p.cmd.Args)
}

// kill is kill -9, and waits until the process is gone.
func (p *proc) kill() { p.signal(os.Kill); <-p.exited }

// figures is a line of --format json.
type figures map[string]any

func (f figures) num(key string) float64 {
	n, ok := f[key].(float64)
	if !ok {
		return -1
	}
	return n
}

// reports returns all reports printed so far.
func (p *proc) reports() (all []figures) {
	p.t.Helper()
	for line := range strings.Lines(p.stderr.String()) {
		var f figures
		if json.Unmarshal([]byte(line), &f) == nil && f["role"] != nil { // and not an error
			all = append(all, f)
		}
	}
	return all
}

// final returns the last report and expects that it says so.
func (p *proc) final() figures {
	p.t.Helper()
	all := p.reports()
	if len(all) == 0 || all[len(all)-1]["final"] != true {
		p.t.Fatalf("%v printed no final report; stderr:\n%s", p.cmd.Args, p.stderr.String())
	}
	return all[len(all)-1]
}

// header reads a segment's header as an observer does; nil while there is none.
func header(name string) *layout.Header {
	b := make([]byte, layout.HeaderSize)
	f, err := os.Open(shm.Path(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	if _, err := io.ReadFull(f, b); err != nil {
		return nil
	}
	h, err := layout.At(b)
	if err != nil {
		return nil
	}
	return h
}

// ownDir is a directory that only this user may write to, whatever the umask is.
func ownDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventually waits until the header of the segment says what ok wants, and some times as
// long while messages are taken.
func eventually(t *testing.T, name, what string, ok func(h *layout.Header) bool) {
	t.Helper()
	began, taken := time.Now(), uint64(0)
	for deadline := began.Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		h := header(name)
		if h == nil {
			continue
		}
		if ok(h) {
			return
		}
		if n := h.Consumer.Count.Load(); n != taken && time.Since(began) < 3*patience {
			taken, deadline = n, time.Now().Add(patience)
		}
	}
	t.Fatalf("segment %q: %s did not happen", name, what)
}

// gone expects that nothing is left in /dev/shm.
func gone(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(shm.Path(name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", shm.Path(name), err)
	}
}

// lockedBuffer may be read while the process still writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// within waits until ok.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}
