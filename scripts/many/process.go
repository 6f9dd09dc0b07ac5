package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// process is a child of this program.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// start starts a child, whose main goroutine runs on one processor; -1 = any. Its other threads run
// where they like, and GOMAXPROCS is that of the machine.
func start(cpu int, command string, args ...any) (*process, error) {
	words := []string{command, fmt.Sprint(cpu)}
	for _, a := range args {
		words = append(words, fmt.Sprint(a))
	}
	cmd := exec.Command("/proc/self/exe", words...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: Pdeathsig is about this thread
		err := cmd.Start()
		started <- err
		if err == nil {
			_, _ = cmd.Process.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return &process{cmd, bufio.NewScanner(out)}, nil
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

// line returns the next line that the child prints.
func (p *process) line() (string, error) {
	if !p.lines.Scan() {
		return "", fmt.Errorf("%s has ended", strings.Join(p.cmd.Args[1:], " "))
	}
	return p.lines.Text(), nil
}

// numbers returns the numbers of the next line.
func (p *process) numbers() (all []float64, err error) {
	line, err := p.line()
	for _, word := range strings.Fields(line) {
		n, parseErr := strconv.ParseFloat(word, 64)
		if parseErr != nil {
			return nil, parseErr
		}
		all = append(all, n)
	}
	return all, err
}

// wait waits until the child has closed its output: it has ended, or is about to.
func (p *process) wait() {
	for p.lines.Scan() {
	}
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// names returns n names of rings of this process.
func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("many.%d.%d", os.Getpid(), i))
	}
	return all
}

// remove removes segments, once the children that were killed have given up their roles.
func remove(names []string) {
	for _, name := range names {
		for range 200 {
			if err := shm.RemoveIfExists(context.Background(), name); !errors.Is(err, shm.ErrRoleTaken) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// cpuTime returns the processor time of this process, ns.
func cpuTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return unix.TimevalToNsec(u.Utime) + unix.TimevalToNsec(u.Stime)
}
