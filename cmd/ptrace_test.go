package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/shm"
)

// errFirstThread: what waits for the end of the process is told of a stop of its first
// thread as well, if it was this process that stopped it, and takes that for the end.
var errFirstThread = errors.New("the first thread of the process sleeps on a word of the segment")

// holdLoop stops the thread of a command that sleeps on a word of its segment, and
// that alone. It is the one in the loop. resume lets it run again, and is nil where that is
// the first thread.
func holdLoop(t *testing.T, p *testenv.Process) (resume func()) {
	t.Helper()
	pid := p.Cmd.Process.Pid
	held, release, released := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		// A tracer is a thread, and has to detach by itself: the first thread of a process
		// does not end with its goroutine, and what it traces cannot even be killed.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(released)
		tid := 0
		for deadline := time.Now().Add(testenv.Timeout); tid == 0; tid = sleeper(pid) {
			if time.Now().After(deadline) {
				held <- errors.New("no thread sleeps on a word of the segment")
				return
			}
		}
		if tid == pid {
			held <- errFirstThread
			return
		}
		_, _, err := unix.RawSyscall6(unix.SYS_PTRACE, ptraceSeize, uintptr(tid), 0, 0, 0, 0)
		if err == 0 {
			_, _, err = unix.RawSyscall6(unix.SYS_PTRACE, ptraceInterrupt, uintptr(tid), 0, 0, 0, 0)
		}
		if err != 0 {
			held <- fmt.Errorf("ptrace thread %d: %w", tid, err)
			return
		}
		var status unix.WaitStatus
		_, waitErr := unix.Wait4(tid, &status, unix.WALL, nil)
		held <- waitErr
		<-release
		unix.PtraceDetach(tid)
	}()
	if err := <-held; err == errFirstThread {
		return nil
	} else if errors.Is(err, unix.EPERM) {
		t.Skipf("SKIPPED, NOT TESTED: no right to stop a thread: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	resume = sync.OnceFunc(func() { close(release); <-released })
	t.Cleanup(resume) // before the process is to be killed
	return resume
}

const (
	ptraceSeize     = 0x4206
	ptraceInterrupt = 0x4207
	futexWaitv      = "449"
)

// sleeper returns the thread whose system call has an address in a segment as its
// first argument, 0 if there is none now.
func sleeper(pid int) (tid int) {
	maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/syscall", pid, thread.Name()))
		words := strings.Fields(string(call))
		if len(words) < 2 {
			continue
		}
		if words[0] == futexWaitv { // its words lie behind a pointer; Go's runtime does not use it
			tid, _ = strconv.Atoi(thread.Name())
			return tid
		}
		at, err := strconv.ParseUint(words[1], 0, 64)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(maps)) {
			var first, last uint64
			if n, _ := fmt.Sscanf(line, "%x-%x", &first, &last); n == 2 && first <= at && at < last && strings.Contains(line, shm.Dir+"/sluice.") {
				tid, _ = strconv.Atoi(thread.Name())
				return tid
			}
		}
	}
	return 0
}
