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
	c.Env = append(os.Environ(), ChildEnv(name))
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

// ChildEnv is the environment variable that makes this test binary a child of that name, for one
// that another program starts. Its standard input has to stay open as long as it is needed.
func ChildEnv(name string) string { return childEnv + "=" + name }

// WantLine expects that the child prints that line next.
func (c *Child) WantLine(t testing.TB, want string) {
	t.Helper()
	if line := c.ReadLine(); line != want {
		t.Fatalf("the child prints %q, want %q", line, want)
	}
}

// ReadLine waits for the next line that the child prints, and returns it without the line
// feed; empty when it prints no more.
func (c *Child) ReadLine() string {
	line, _ := c.stdout.ReadString('\n')
	return strings.TrimSpace(line)
}

// Kill is kill -9. It returns when the process is gone.
func (c *Child) Kill() {
	c.Process.Kill()
	c.Wait()
}
