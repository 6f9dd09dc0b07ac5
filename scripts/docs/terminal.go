package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/creack/pty"
)

// maxExit is how long a command may take to end after Ctrl-C.
const maxExit = 30 * time.Second

// terminal is a terminal in which a command runs.
type terminal struct {
	statement
	keyboard *os.File
	ended    chan struct{} // closed when the command has ended
	err      error         // of the command, when ended is closed
	screen   screen
}

// screen is what a terminal has shown.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// openTerminal starts a statement in a new terminal.
func openTerminal(at place, st statement) (*terminal, error) {
	cmd := exec.Command("bash", "--noprofile", "--norc", "-o", "pipefail", "-c", st.text)
	cmd.Dir, cmd.Env = at.dir, append(at.env, "TERM=xterm-256color")
	keyboard, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		return nil, err
	}
	t := &terminal{statement: st, keyboard: keyboard, ended: make(chan struct{})}
	go io.Copy(&t.screen, keyboard) //nolint:errcheck // ends with an error when the last process has closed the terminal
	go func() {
		t.err = cmd.Wait()
		close(t.ended)
	}()
	return t, nil
}

// interrupt presses Ctrl-C.
func (t *terminal) interrupt() {
	_, _ = t.keyboard.Write([]byte{3}) // fails if the command has ended
}

// wait waits until the command has ended, after interrupt, and returns its error.
func (t *terminal) wait() error {
	defer t.keyboard.Close()
	select {
	case <-t.ended:
		return t.err
	case <-time.After(maxExit):
		return fmt.Errorf("not done %v after Ctrl-C", maxExit)
	}
}

// failed returns whether the command has ended with another exit code than 0.
func (t *terminal) failed() bool {
	select {
	case <-t.ended:
		return t.err != nil
	default:
		return false
	}
}
