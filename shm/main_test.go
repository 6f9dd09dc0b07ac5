package shm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// The test binary starts itself as the other process; childEnv says which.
const childEnv = "SLUICE_SHM_TEST_CHILD"

// patience is how long a step may take before the test gives up on it. It only
// bounds a failure; no test passes by waiting for it.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		go func() { // no child outlives its parent, who holds the other end
			io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		if err := children[what](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, what, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if left := leftovers(); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "the tests left behind:\n%s\n", strings.Join(left, "\n"))
		code = 1
	}
	os.Exit(code)
}

// leftovers lists the files these tests made that are still there, open or
// mapped.
func leftovers() (left []string) {
	left, _ = filepath.Glob(Path(fmt.Sprintf("shmtest.%d.*", os.Getpid())))
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if file, _ := os.Readlink(fd); strings.HasPrefix(file, Dir+"/") {
			left = append(left, "open "+file)
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " "+Dir+"/") {
			left = append(left, "mapped "+strings.TrimSpace(line))
		}
	}
	return left
}

var names atomic.Int64

// segmentName returns a name that no other test has, and removes what stands
// there at the end.
func segmentName(t *testing.T) string {
	name := fmt.Sprintf("shmtest.%d.%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() { os.RemoveAll(Path(name)) })
	return name
}

func ring(t *testing.T, capacity uint64) layout.Geometry {
	t.Helper()
	g, err := layout.RingGeometry(capacity, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// newSegment creates a ring of 64 KiB as its producer.
func newSegment(t *testing.T, name string) *Segment {
	t.Helper()
	s, err := Create(name, ring(t, 1<<16), layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Leave(keep) }) // an error when the test has left it
	return s
}

func join(t *testing.T, name string, r layout.Role) *Segment {
	t.Helper()
	s, err := Open(t.Context(), name, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Leave(keep) })
	return s
}

func keep() bool   { return false }
func remove() bool { return true }

func leave(t *testing.T, s *Segment, remove func() bool) (removed bool) {
	t.Helper()
	removed, err := s.Leave(remove)
	if err != nil {
		t.Fatal(err)
	}
	return removed
}

// refused expects that the role cannot be had, and for the reason want.
func refused(t *testing.T, name string, r layout.Role, want error) {
	t.Helper()
	s, err := Open(t.Context(), name, r)
	if err == nil {
		s.Leave(keep)
	}
	if !errors.Is(err, want) {
		t.Errorf("open as %v: %v, want %v", r, err, want)
	}
}

func exists(name string) bool {
	_, err := os.Lstat(Path(name))
	return err == nil
}

// cancelled is a context for calls that must not wait.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// eventually repeats ok until it is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// child is another process, running one of children.
type child struct {
	*exec.Cmd
	stdout *bufio.Reader
}

func startChild(t *testing.T, what string, args ...string) *child {
	t.Helper()
	c, err := startChildWith(t, nil, what, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func startChildWith(t *testing.T, attr *syscall.SysProcAttr, what string, args ...string) (*child, error) {
	c := &child{Cmd: exec.Command(os.Args[0], args...)}
	c.Env = append(os.Environ(), childEnv+"="+what)
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
	t.Cleanup(c.kill)
	return c, nil
}

// says expects the child to print that line next.
func (c *child) says(t *testing.T, want string) {
	t.Helper()
	if line, err := c.stdout.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the child says %q (%v), want %q", line, err, want)
	}
}

// kill is kill -9, and waits until the process is gone.
func (c *child) kill() {
	c.Process.Kill()
	c.Wait()
}

var children = map[string]func(args []string) error{
	"hold":     holdChild,
	"create":   createChild,
	"nospace":  nospaceChild,
	"no query": noQueryChild,
}

// holdChild takes a role and keeps it until it is killed.
func holdChild(args []string) error {
	role := layout.Producer
	if args[1] == "consumer" {
		role = layout.Consumer
	}
	if _, err := Open(context.Background(), args[0], role); err != nil {
		return err
	}
	fmt.Println("holding")
	select {}
}

// lockByte takes the lock on one byte of a segment's file as a process that
// is not this package would.
func lockByte(t *testing.T, name string, at int64) *os.File {
	t.Helper()
	f, err := os.OpenFile(Path(name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk); err != nil {
		t.Fatal(err)
	}
	return f
}
