package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shm"
)

// patience is how long a step may take before the test gives up on it. It only
// bounds a failure; no test passes by waiting for it.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftovers(); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "the tests left behind:\n%s\n", strings.Join(left, "\n"))
		code = 1
	}
	os.Exit(code)
}

// leftovers lists what these tests made that is still there: segments, and memfds
// and header pages that are open or mapped.
func leftovers() (left []string) {
	left, _ = filepath.Glob(shm.Path(fmt.Sprintf("transfertest.%d.*", os.Getpid())))
	for _, file := range openFiles() {
		left = append(left, "open "+file)
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " "+shm.Dir+"/sluice.") || strings.Contains(line, "/memfd:sluice") {
			left = append(left, "mapped "+strings.TrimSpace(line))
		}
	}
	return left
}

// openFiles lists the memfds, sockets and segments that this process has open.
func openFiles() (files []string) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		file, _ := os.Readlink(fd)
		if strings.HasPrefix(file, "/memfd:sluice") || strings.HasPrefix(file, "socket:") || strings.HasPrefix(file, shm.Dir+"/sluice.") {
			files = append(files, file)
		}
	}
	return files
}

// memfds returns how many buffers this process has open.
func memfds() (n int) {
	for _, file := range openFiles() {
		if strings.HasPrefix(file, "/memfd:sluice") {
			n++
		}
	}
	return n
}

var names atomic.Int64

// place is a segment's name and a socket that no other test has. What is there is
// removed at the end.
func place(t *testing.T) (name string, opt Options) {
	t.Helper()
	name = fmt.Sprintf("transfertest.%d.%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() { os.RemoveAll(shm.Path(name)) })
	return name, Options{Socket: filepath.Join(t.TempDir(), "socket")}
}

func create(t *testing.T, name string, opt Options) *Sender {
	t.Helper()
	s, err := Create(t.Context(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(cancelled()) }) // an error when the test has closed it
	return s
}

func open(t *testing.T, name string, opt Options) *Receiver {
	t.Helper()
	r, err := Open(t.Context(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// pair is both ends of a transfer in this process.
func pair(t *testing.T, opt Options) (*Sender, *Receiver) {
	t.Helper()
	name, at := place(t)
	opt.Socket = at.Socket
	return create(t, name, opt), open(t, name, opt)
}

// send sends strings, each published.
func send(t *testing.T, s *Sender, msgs ...string) {
	t.Helper()
	for _, msg := range msgs {
		if err := s.Send(t.Context(), []byte(msg)); err != nil {
			t.Fatalf("send %.40q: %v", msg, err)
		}
	}
}

// takes expects these messages next. They stay held.
func takes(t *testing.T, r *Receiver, want ...string) {
	t.Helper()
	for _, msg := range want {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		got, err := r.Next(ctx)
		cancel()
		if err != nil || string(got) != msg {
			t.Fatalf("took %.40q, %v; want %.40q", got, err, msg)
		}
	}
}

// fails expects that Next fails with want.
func fails(t *testing.T, r *Receiver, want error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if msg, err := r.Next(ctx); !errors.Is(err, want) {
		t.Fatalf("took %.40q, %v; want %v", msg, err, want)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
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
