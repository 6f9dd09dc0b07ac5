package procinfo

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// becomes waits until the process runs or is stopped as wanted.
func becomes(t *testing.T, pid int, runs, stopped bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		gotRuns, gotStopped := Runs(pid)
		if gotRuns == runs && gotStopped == stopped {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("runs %v, stopped %v; want %v, %v", gotRuns, gotStopped, runs, stopped)
		}
	}
}

func TestRuns_StoppedProcess(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if sleep, err = filepath.EvalSymlinks(sleep); err != nil {
		t.Fatal(err)
	}
	// The second name looks like the end of a name and a state in /proc/PID/stat.
	for _, name := range []string{"sleep", ") T 1 1"} {
		program := filepath.Join(t.TempDir(), name)
		if err := os.Symlink(sleep, program); err != nil {
			t.Fatal(err)
		}
		c := &exec.Cmd{Path: program, Args: []string{"sleep", "600"}}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
		pid := c.Process.Pid
		becomes(t, pid, true, false)
		c.Process.Signal(unix.SIGSTOP)
		becomes(t, pid, false, true)
		c.Process.Signal(unix.SIGCONT)
		becomes(t, pid, true, false)
		c.Process.Kill()
		becomes(t, pid, false, false) // a zombie
		c.Wait()
		becomes(t, pid, false, false)
	}
	if runs, stopped := Runs(os.Getpid()); !runs || stopped {
		t.Errorf("this process: runs %v, stopped %v", runs, stopped)
	}
	for _, pid := range []int{0, -1} {
		if runs, stopped := Runs(pid); runs || stopped {
			t.Errorf("process %d: runs %v, stopped %v", pid, runs, stopped)
		}
	}
}
