package testenv

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Child is another process of this test binary, which runs one of the [Children] given to
// [Main].
type Child struct {
	*exec.Cmd
	stdout *bufio.Reader
}

// StartChild starts a child. It is killed when the test ends, and ends by itself when this
// process does.
func StartChild(t testing.TB, name string, args ...string) *Child {
	t.Helper()
	c, err := StartChildWith(t, nil, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// StartChildWith is [StartChild] with attributes, with which it may be impossible to start.
func StartChildWith(t testing.TB, attr *syscall.SysProcAttr, name string, args ...string) (*Child, error) {
	c := &Child{Cmd: exec.Command(os.Args[0], args...)}
	c.Env = append(os.Environ(), childEnv+"="+name)
	c.Stderr, c.SysProcAttr = os.Stderr, attr
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if _, err := c.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	c.stdout = bufio.NewReader(stdout)
	t.Cleanup(c.Kill)
	return c, nil
}

// WantLine expects that the child prints that line next.
func (c *Child) WantLine(t testing.TB, want string) {
	t.Helper()
	if line, err := c.stdout.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the child prints %q (%v), want %q", line, err, want)
	}
}

// Kill is kill -9. It returns when the process is gone.
func (c *Child) Kill() {
	c.Process.Kill()
	c.Wait()
}
