package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

// traced is a command whose system calls are noted from some moment on, and which is killed at one
// of them. That call is not executed.
type traced struct {
	t      *testing.T
	pid    int
	name   string // of the segment
	stderr string // the file with its standard error
	ended  chan struct{}

	// Set before armed.
	killAt string      // the call, as in calls; "" = none
	holdAt string      // the command is stopped before the first such call, which is the first in calls; "" = none
	names  bool        // calls are noted without their arguments: where a command repeats what it does
	armed  atomic.Bool // from then on calls are noted

	held    chan struct{} // closed when it is stopped
	release chan struct{} // close it to continue
	noting  bool

	// Valid after ended.
	calls  []string // each with the number of equal ones up to it
	killed bool     // at killAt; else it has exited by itself
	status unix.WaitStatus
}

// startTraced starts a command with that segment, whose standard input is stdin, or /dev/null.
func startTraced(t *testing.T, name string, stdin *os.File, command string, args ...string) *traced {
	t.Helper()
	testenv.ReadSources()
	p := &traced{t: t, name: name, stderr: filepath.Join(t.TempDir(), "stderr"), ended: make(chan struct{}), held: make(chan struct{}), release: make(chan struct{})}
	started := make(chan error)
	// A tracer is a thread. Nothing else in this process waits for its children: it would take
	// their stops for their ends.
	go onThreadWithoutChildren(func() {
		defer close(p.ended)
		err := p.start(stdin, append([]string{testenv.Command(command), "--name", name}, args...))
		started <- err
		if err == nil {
			p.trace()
		}
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.resume(); p.signal(unix.SIGKILL); <-p.ended })
	return p
}

// signal sends a signal to the command, unless it has ended: its number may be that of another
// process by then. Where there are 32,768 numbers, these tests come round to each within minutes.
func (p *traced) signal(s unix.Signal) {
	if !isClosed(p.ended) {
		unix.Kill(p.pid, s)
	}
}

// onThreadWithoutChildren calls fn on a thread that has no child. A tracer waits for all children
// of its thread, which would be the end of the processes of other tests that were started on it:
// nobody else could wait for them any more. The first thread inherits those of threads that end.
func onThreadWithoutChildren(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid := unix.Gettid()
		children, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", tid))
		if tid == os.Getpid() || len(children) > 0 {
			onThreadWithoutChildren(fn) // on another one, as this one is taken meanwhile
			return
		}
		fn()
	}()
	<-done
}

func (p *traced) start(stdin *os.File, args []string) error {
	stderr, err := os.Create(p.stderr)
	if err != nil {
		return err
	}
	defer stderr.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if stdin == nil {
		stdin = null
	}
	p.pid, err = syscall.ForkExec(args[0], args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{stdin.Fd(), null.Fd(), stderr.Fd()},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	if _, err := unix.Wait4(p.pid, &p.status, unix.WALL, nil); err != nil {
		return err
	}
	if !p.status.Stopped() {
		return fmt.Errorf("after exec: %v", p.status)
	}
	err = unix.PtraceSetOptions(p.pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL)
	if err != nil {
		return err
	}
	return unix.PtraceSyscall(p.pid, 0)
}

// trace lets the command run from one system call to the next, until it ends.
func (p *traced) trace() {
	const syscallStop = unix.SIGTRAP | 0x80
	inCall := map[int]bool{p.pid: false} // the threads
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return
		case status.Exited() || status.Signaled():
			if tid == p.pid { // the last one of its threads
				p.status = status
				return
			}
			delete(inCall, tid)
			continue
		}
		deliver := 0
		_, known := inCall[tid]
		switch sig := status.StopSignal(); {
		case sig == syscallStop:
			if inCall[tid] = !inCall[tid]; inCall[tid] {
				p.enter(tid)
			}
		case !known: // a thread begins with a stop
			inCall[tid] = false
		case sig != unix.SIGTRAP:
			deliver = int(sig)
		}
		unix.PtraceSyscall(tid, deliver) // it may be killed by now
	}
}

// enter notes a system call that a thread is about to make, and kills the process if it is the one.
func (p *traced) enter(tid int) {
	if !p.armed.Load() || p.killed {
		return
	}
	call := describeCall(p.pid, tid)
	if call == "" {
		return
	}
	if !p.noting {
		if p.holdAt != "" {
			if call != p.holdAt {
				return
			}
			close(p.held)
			<-p.release
		}
		p.noting = true
	}
	call = strings.ReplaceAll(call, p.name, "NAME")
	if p.names {
		call, _, _ = strings.Cut(call, "(")
	}
	equal := 1
	for _, c := range p.calls {
		if strings.HasPrefix(c, call+" #") {
			equal++
		}
	}
	call = fmt.Sprintf("%s #%d", call, equal)
	p.calls = append(p.calls, call)
	if p.killed = call == p.killAt; p.killed {
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

// resume ends a stop at holdAt.
func (p *traced) resume() {
	select {
	case <-p.release:
	default:
		close(p.release)
	}
}

// runtimeCalls are calls that the Go runtime makes for itself, as often as it likes, and waits. No
// other process notices them.
var runtimeCalls = []int{
	unix.SYS_FUTEX, unix.SYS_FUTEX_WAITV, unix.SYS_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL,
	unix.SYS_MMAP, unix.SYS_MADVISE, unix.SYS_MPROTECT, unix.SYS_MINCORE, unix.SYS_CLONE, unix.SYS_CLONE3, unix.SYS_PRCTL, unix.SYS_EXIT,
	unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGRETURN, unix.SYS_TGKILL,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETEUID, unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_GETRANDOM,
	unix.SYS_TIMER_CREATE, unix.SYS_TIMER_SETTIME, unix.SYS_TIMER_DELETE, unix.SYS_SETITIMER,
}

// callNames names the calls by which a side leaves, and that come with it.
var callNames = map[int]string{
	unix.SYS_FCNTL: "fcntl", unix.SYS_CLOSE: "close", unix.SYS_CLOSE_RANGE: "close_range", unix.SYS_FSTAT: "fstat", unix.SYS_NEWFSTATAT: "newfstatat", unix.SYS_UNLINKAT: "unlinkat",
	unix.SYS_MUNMAP: "munmap", unix.SYS_READ: "read", unix.SYS_WRITE: "write", unix.SYS_MEMBARRIER: "membarrier", unix.SYS_EXIT_GROUP: "exit_group",
	unix.SYS_SENDMSG: "sendmsg", unix.SYS_RECVMSG: "recvmsg", unix.SYS_RECVFROM: "recvfrom", unix.SYS_CONNECT: "connect", unix.SYS_SOCKET: "socket",
	unix.SYS_TIMERFD_SETTIME: "timerfd_settime", unix.SYS_TIMERFD_CREATE: "timerfd_create", unix.SYS_GETSOCKOPT: "getsockopt", unix.SYS_OPENAT: "openat",
}

// describeCall returns the system call that a thread is about to make, with the arguments that
// say what it is for. It is "" for one of runtimeCalls, and for the write of 8 bytes by which the
// runtime ends its own wait.
func describeCall(pid, tid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
	var args []uint64
	for i, word := range strings.Fields(string(text)) {
		base := 0
		if i == 0 {
			base = 10
		}
		n, _ := strconv.ParseUint(word, base, 64)
		args = append(args, n)
	}
	if len(args) < 7 {
		return ""
	}
	nr := int(args[0])
	if slices.Contains(runtimeCalls, nr) || nr == unix.SYS_WRITE && args[3] == 8 {
		return ""
	}
	name := callNames[nr]
	if name == "" {
		name = fmt.Sprint("call ", nr)
	}
	switch nr {
	case unix.SYS_UNLINKAT, unix.SYS_NEWFSTATAT, unix.SYS_OPENAT:
		path := make([]byte, 256)
		if mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err == nil {
			n, _ := mem.ReadAt(path, int64(args[2]))
			path, _, _ = bytes.Cut(path[:n], []byte{0})
			mem.Close()
		}
		if bytes.HasPrefix(path, []byte("/proc/")) {
			return "" // for a report
		}
		return fmt.Sprintf("%s %s", name, path)
	case unix.SYS_FCNTL:
		return fmt.Sprintf("%s(%d, %d)", name, args[1], args[2])
	case unix.SYS_MUNMAP:
		return fmt.Sprintf("%s(%d bytes)", name, args[2])
	}
	return fmt.Sprintf("%s(%d)", name, int64(args[1]))
}

// wait waits for the end of the process. It reports whether it was killed at killAt; else it has
// exited by itself.
func (p *traced) wait() (killed bool) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(testenv.Timeout):
		p.t.Fatalf("it still runs; stderr:\n%s", p.output())
	}
	return p.killed
}

func (p *traced) output() string {
	b, _ := os.ReadFile(p.stderr)
	return string(b)
}

// atEachCall calls run, which returns the calls of a traced command that was not killed, and then
// run for each of them, to kill the command at it. Calls come and go: those that a run does not
// come to are tried again, and of those that a side repeats while it waits only the first ones
// count. It fails if it was killed at none that begins with must.
func atEachCall(t *testing.T, must string, run func(killAt string) (calls []string, killed bool)) {
	t.Helper()
	const most, tries = 4, 4
	calls, _ := run("")
	reached := false
	for _, call := range calls {
		if _, number, _ := strings.Cut(call, " #"); len(number) > 1 || number[0]-'0' > most {
			continue
		}
		killed := false
		for try := 0; try < tries && !killed; try++ {
			_, killed = run(call)
		}
		if !killed {
			t.Logf("not killed at %s: it did not come again", call)
		}
		reached = reached || killed && strings.HasPrefix(call, must)
	}
	if !reached {
		t.Errorf("not killed at %s, of %q", must, calls)
	}
}
