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

// A program that has the terminal for itself has to give it back before it is stopped,
// and to take it again when it goes on. In raw mode Ctrl-Z is a key; SIGTSTP comes from
// elsewhere. SIGSTOP is not noticed before SIGCONT: the terminal may then be set up as a
// shell wants it.

// suspend and resumed are what the watcher is told of the two signals.
type suspend struct{}
type resumed struct{}

// stopSignals are the two signals as they come.
type stopSignals chan os.Signal

// forward tells program of the signals until end is called.
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

// stop is what is run while the terminal is as it was found: it stops the process, as
// other programs are stopped at Ctrl-Z. The whole process group is, so that a pipeline
// goes on as one.
type stop struct {
	quiet
	signals stopSignals
}

// Run implements tea.ExecCommand.
func (s stop) Run() error {
	if !hasShell() {
		time.Sleep(settling)
		return nil
	}
	signal.Stop(s.signals)
	defer s.signals.listen()
	// Not SIGTSTP: once a Go program has asked to be told of that signal, it is not
	// stopped by it any more.
	if err := unix.Kill(0, unix.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(stopping) // the stop falls into it
	return nil
}

// stopping is longer than a process needs to be stopped by its own signal.
const stopping = 100 * time.Millisecond

// hasShell reports whether somebody is there who would let the process go on again: a
// parent in the same session, but not in the same group. Without one the kernel does not
// let the terminal stop a process either.
func hasShell() bool {
	session, err := unix.Getsid(0)
	of, parentErr := unix.Getsid(unix.Getppid())
	group, groupErr := unix.Getpgid(unix.Getppid())
	return errors.Join(err, parentErr, groupErr) == nil && of == session && group != unix.Getpgrp()
}

// again is run so that the terminal is taken once more.
type again struct{ quiet }

// Run implements tea.ExecCommand.
func (again) Run() error { time.Sleep(settling); return nil }

// settling is time for bubbletea to end its drawing goroutine before it starts the next
// one. It does not wait for that (v2.1.1, stopRenderer), and the old one, when it is late,
// stops the ticker of the new one: then nothing is drawn any more.
const settling = 50 * time.Millisecond

// quiet has no use for the terminal's files.
type quiet struct{}

func (quiet) SetStdin(io.Reader)  {}
func (quiet) SetStdout(io.Writer) {}
func (quiet) SetStderr(io.Writer) {}
