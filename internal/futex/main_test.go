package futex

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
)

// The test binary starts itself as the other process; childEnv says which.
const childEnv = "SLUICE_FUTEX_TEST_CHILD"

// patience is how long a step may take before the test gives up on it.
const patience = 60 * time.Second

var children = map[string]func(arg string) error{
	"wait":     waitChild,
	"wake":     wakeChild,
	"one word": oneWordChild,
}

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		go func() { // no child outlives its parent, who holds the other end
			io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		if err := children[what](os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, what, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is another process, running one of children.
type child struct {
	*exec.Cmd
	stdout *bufio.Reader
}

func startChild(t *testing.T, what, arg string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0], arg)}
	c.Env = append(os.Environ(), childEnv+"="+what)
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(stdout)
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c
}

// says expects the child to print that line next.
func (c *child) says(t *testing.T, want string) {
	t.Helper()
	if line, err := c.stdout.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the child says %q (%v), want %q", line, err, want)
	}
}

// sharedWord returns a word of a new file that other processes map by its path.
func sharedWord(t *testing.T) (path string, word *uint32) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "word")
	if err := os.WriteFile(path, make([]byte, os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	word, err := mapWord(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, word
}

func waitChild(path string) error {
	word, err := mapWord(path)
	if err != nil {
		return err
	}
	fmt.Println("waiting")
	result, err := Wait(word, 0, -1)
	fmt.Println(result)
	return err
}

func wakeChild(path string) error {
	word, err := mapWord(path)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n, err := Wake(word, 1); n == 1 || err != nil {
			fmt.Println("woke it")
			return err
		}
	}
	return errors.New("nobody waited")
}

func oneWordChild(arg string) error {
	errno, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	if err := seccomp.Refuse(unix.Errno(errno), seccomp.Call(sysFutexWaitv)); err != nil {
		return err
	}
	w, word := NewWaiter(), new(uint32)
	n := w.Interrupts()
	go func() {
		time.Sleep(20 * time.Millisecond)
		w.Interrupt()
	}()
	got, err := w.Wait(word, 0, n, patience)
	if err != nil || got == TimedOut || !noWaitv.Load() {
		return fmt.Errorf("%v, %w, remembered %v", got, err, noWaitv.Load())
	}
	fmt.Println("interrupted")
	return nil
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
