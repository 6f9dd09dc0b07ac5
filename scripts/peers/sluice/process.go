package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
)

var ctx = context.Background()

// side is the environment variable with the side of a process; unset in side A, which the
// user starts.
const side = "SLUICE_PEER_SIDE"

func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to processor %d: %w", cpu, err)
	}
	return nil
}

// pinProcess pins all threads of the process. Threads that the runtime has already started
// keep their processors, so it executes the program again from a pinned thread.
func pinProcess(cpu int) error {
	runtime.LockOSThread() // never unlocked: startB needs it
	if err := pin(cpu); err != nil || os.Getenv(side) == "A" {
		return err
	}
	return fmt.Errorf("start again: %w", syscall.Exec("/proc/self/exe", os.Args, append(twoProcs(os.Environ()), side+"=A")))
}

// twoProcs sets GOMAXPROCS to 2 in an environment that does not have it, for both sides. It would
// be 1 in a process that is pinned to one processor, and that is not how a Go program runs that is
// not pinned: with 1 there are no raw sleeps (docs/protocol.md).
func twoProcs(environ []string) []string {
	if os.Getenv("GOMAXPROCS") != "" {
		return environ
	}
	return append(environ, "GOMAXPROCS=2")
}

// sideB is the other process, as A sees it.
type sideB struct {
	from *os.File
	gone chan struct{} // closed when it has exited successfully
}

// startB starts B on its processor. If A or B dies, the other one ends too.
func startB(cpu int) (*sideB, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	b := exec.Command("/proc/self/exe", os.Args[1:]...)
	b.Env = append(os.Environ(), side+"=B")
	b.Stdout, b.Stderr = to, os.Stderr
	b.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var here unix.CPUSet
	if err := unix.SchedGetaffinity(0, &here); err != nil {
		return nil, err
	}
	if err := pin(cpu); err != nil { // the new process inherits it
		return nil, err
	}
	if err := b.Start(); err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	go func() {
		if b.Wait() != nil {
			os.Exit(1) // B has printed an error
		}
		close(gone)
	}()
	return &sideB{from, gone}, unix.SchedSetaffinity(0, &here)
}

// report is what B prints when it is ready for the next step, zero before it has measured.
type report struct {
	ended, used float64 // clock and processor seconds
	half, most  float64 // of a paced job: percentiles
}

func (r report) print() { fmt.Println(r.ended, r.used, r.half, r.most) }

// report reads what B prints next.
func (b *sideB) report() (r report, err error) {
	if _, err = fmt.Fscanln(b.from, &r.ended, &r.used, &r.half, &r.most); err != nil {
		err = fmt.Errorf("report of side B: %w", err)
	}
	return r, err
}

// now is the monotonic clock, the same in both processes, in seconds.
func now() float64 { return float64(monotonic.Now()) / 1e9 }

// used is the processor time of this process, in seconds.
func used() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // as above
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

type watch struct{ began, before float64 }

func startWatch() watch { return watch{began: now(), before: used()} }

func (w watch) used() float64 { return used() - w.before }
