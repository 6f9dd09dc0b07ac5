package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"
)

// A program that has put the terminal into raw mode has to restore it before it is stopped, and
// to set it up again when it continues. In raw mode Ctrl-Z is a key; SIGTSTP comes from other
// processes. SIGSTOP cannot be caught and is noticed only at SIGCONT: a shell may have changed
// the terminal by then.

// suspend and resumed are the messages for SIGTSTP and SIGCONT.
type suspend struct{}
type resumed struct{}

// stopSignals receives the two signals.
type stopSignals chan os.Signal

// forward sends the program a message for each signal until end is called.
func (s stopSignals) forward(program *tea.Program) (end func()) {
	s.listen()
	go func() {
		for sig := range s {
			if sig == unix.SIGTSTP {
				program.Send(suspend{})
			} else {
				program.Send(resumed{})
			}
		}
	}()
	return func() { signal.Stop(s); close(s) }
}

func (s stopSignals) listen() { signal.Notify(s, unix.SIGTSTP, unix.SIGCONT) }

// stopProcess is run while the terminal is restored: it stops the process group, as Ctrl-Z does
// with other programs, so that a pipeline stops and continues as one.
type stopProcess struct {
	ignoreFiles
	signals stopSignals
}

// Run implements tea.ExecCommand.
func (s stopProcess) Run() error {
	if !hasShell() {
		time.Sleep(rendererDelay)
		return nil
	}
	signal.Stop(s.signals)
	defer s.signals.listen()
	// Not SIGTSTP: once a Go program has called signal.Notify for it, it is not stopped by
	// it any more.
	if err := unix.Kill(0, unix.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(stopDelay) // the process is stopped during this
	return nil
}

// stopDelay is longer than it takes until a signal that a process sends to itself stops it.
const stopDelay = 100 * time.Millisecond

// hasShell reports whether there is a parent that can continue the process: in the same session,
// but not in the same group. Without one (an orphaned process group) the kernel does not let the
// terminal stop a process either.
func hasShell() bool {
	session, err := unix.Getsid(0)
	parentSession, parentErr := unix.Getsid(unix.Getppid())
	group, groupErr := unix.Getpgid(unix.Getppid())
	return errors.Join(err, parentErr, groupErr) == nil && parentSession == session && group != unix.Getpgrp()
}

// retakeTerminal does nothing: bubbletea sets the terminal up again after it.
type retakeTerminal struct{ ignoreFiles }

// Run implements tea.ExecCommand.
func (retakeTerminal) Run() error { time.Sleep(rendererDelay); return nil }

// rendererDelay gives bubbletea time to end its renderer goroutine before it starts the next one.
// It does not wait for that itself (v2.1.1, stopRenderer), and an old one that ends late stops
// the ticker of the new one: then nothing is drawn any more.
const rendererDelay = 50 * time.Millisecond

// ignoreFiles ignores the files that tea.ExecCommand offers.
type ignoreFiles struct{}

func (ignoreFiles) SetStdin(io.Reader)  {}
func (ignoreFiles) SetStdout(io.Writer) {}
func (ignoreFiles) SetStderr(io.Writer) {}
