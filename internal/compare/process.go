package compare

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// process is a command of a run.
type process struct {
	cmd  *exec.Cmd
	said bytes.Buffer
	done chan struct{} // closed when it has ended
	peak uint64        // most resident memory that was seen, bytes
}

func (r *Runner) command(name string, args ...string) *process {
	p := &process{cmd: exec.Command(filepath.Join(r.Bin, name), args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.said
	// It is killed when this process ends in any way. Ctrl-C in a terminal is for this
	// process alone, which ends the others.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return p
}

func (p *process) start() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	return nil
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) waitExit(patience time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(patience):
		return false
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// lastError returns the last line that the process has printed, without the hint after an error.
func (p *process) lastError() string {
	lines := strings.Split(strings.TrimSpace(p.said.String()), "\n")
	if n := len(lines); n > 1 && strings.Contains(lines[n-1], ": hint: ") {
		return lines[n-2]
	}
	return lines[len(lines)-1]
}

// sample records the peak of the resident memory, which is gone with the process. The ru_maxrss of
// wait4(2) is no substitute: it includes the memory of this process, which the command shares
// between fork and exec.
func (p *process) sample() {
	proc, err := procfs.NewProc(p.cmd.Process.Pid)
	if err != nil {
		return // it has ended
	}
	if status, err := proc.NewStatus(); err == nil {
		p.peak = max(p.peak, status.VmHWM)
	}
}

func (p *process) usage() Usage {
	state := p.cmd.ProcessState
	u := Usage{CPU: state.UserTime() + state.SystemTime(), PeakRSS: p.peak}
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.Voluntary, u.Involuntary = int64(r.Nvcsw), int64(r.Nivcsw)
	}
	return u
}
