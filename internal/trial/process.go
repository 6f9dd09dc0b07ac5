package trial

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// Process is a process that was started, and that is killed when this one ends in any way. One
// goroutine at a time may use it.
type Process struct {
	PID   int
	title string
	stdin io.Writer
	lines *bufio.Scanner
	ended chan struct{}    // closed when it has ended
	state *os.ProcessState // valid then
}

// Start starts cmd, whose Stdin, Stdout and SysProcAttr are set here. Its standard error is that
// of this process unless cmd has another.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	// Ctrl-C in a terminal is for this process alone, which ends the others.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &Process{title: strings.Join(cmd.Args[1:], " "), stdin: stdin, lines: bufio.NewScanner(stdout), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: Pdeathsig is about this thread
		err := cmd.Start()
		if err == nil {
			p.PID = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.state, _ = cmd.Process.Wait() // not cmd.Wait, which closes the output
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// StartChild starts this program with a command of [Child], whose main goroutine runs on one
// processor; -1 = any. Its other threads run where they like, and GOMAXPROCS is that of the
// machine.
func StartChild(cpu int, command string, args ...any) (*Process, error) {
	words := []string{command, fmt.Sprint(cpu)}
	for _, a := range args {
		words = append(words, fmt.Sprint(a))
	}
	return Start(exec.Command("/proc/self/exe", words...))
}

// Child is a hidden command for [StartChild]. run gets the arguments after the processor.
func Child(name string, run func(ctx context.Context, args []string) error) *urfave.Command {
	return &urfave.Command{Name: name, Hidden: true, SkipFlagParsing: true, Action: func(c *urfave.Context) error {
		args := c.Args().Slice()
		if err := pin(args[0]); err != nil {
			return err
		}
		return run(c.Context, args[1:])
	}}
}

// pin keeps the calling goroutine on a processor, -1 = any.
func pin(cpu string) error {
	n, err := strconv.Atoi(cpu)
	if err != nil || n < 0 {
		return err
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n)
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &set))
}

// Line returns the next line that the process prints.
func (p *Process) Line() (string, error) {
	if !p.lines.Scan() {
		return "", fmt.Errorf("%s has ended", p.title)
	}
	return p.lines.Text(), nil
}

// Numbers returns the numbers of the next line.
func (p *Process) Numbers() (all []float64, err error) {
	line, err := p.Line()
	for _, word := range strings.Fields(line) {
		n, parseErr := strconv.ParseFloat(word, 64)
		if parseErr != nil {
			return nil, parseErr
		}
		all = append(all, n)
	}
	return all, err
}

// Tell writes a line to the standard input of the process.
func (p *Process) Tell(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Signal sends a signal, to no effect once the process has ended.
func (p *Process) Signal(s unix.Signal) {
	select {
	case <-p.ended:
	default:
		_ = unix.Kill(p.PID, s)
	}
}

// Kill kills the process and waits for its end.
func (p *Process) Kill() {
	p.Signal(unix.SIGKILL)
	<-p.ended
}

// Ended returns a channel that is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop sends SIGTERM, waits at most for a time until the process has ended, and returns an error
// unless it has, with exit code 0. One that had just been started may also have died of the signal.
func (p *Process) Stop(most time.Duration) error {
	p.Signal(unix.SIGTERM)
	err := p.Wait(most)
	select {
	case <-p.ended:
		if p.state.Sys().(syscall.WaitStatus).Signal() == unix.SIGTERM {
			return nil
		}
	default:
	}
	return err
}

// Wait waits at most for a time until the process has ended, and returns an error unless it has,
// with exit code 0.
func (p *Process) Wait(most time.Duration) error {
	select {
	case <-p.ended:
	case <-time.After(most):
		return fmt.Errorf("%s has not ended within %v", p.title, most)
	}
	if !p.state.Success() {
		return fmt.Errorf("%s: %v", p.title, p.state)
	}
	return nil
}
