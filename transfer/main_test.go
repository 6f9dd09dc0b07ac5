package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// openFiles lists the memfds, sockets, segments and timers that this process has open.
func openFiles() (files []string) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		file, _ := os.Readlink(fd)
		if strings.HasPrefix(file, "/memfd:sluice") || strings.HasPrefix(file, "socket:") || strings.HasPrefix(file, shm.Dir+"/sluice.") || file == timer {
			files = append(files, file)
		}
	}
	return files
}

const timer = "anon_inode:[timerfd]"

// timers returns how many alarms this process has.
func timers() (n int) {
	for _, file := range openFiles() {
		if file == timer {
			n++
		}
	}
	return n
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

// endOptions are the options of a pair: of both its ends.
type endOptions struct {
	Socket string
	Keep   bool
	Access shm.Access

	Limit          uint64
	OnLimit        Policy
	ResumeAt       float64
	BlockTimeout   time.Duration
	Buffer, Batch  int
	Recycle, Fresh bool
	Framing        layout.Framing

	Follow   bool
	OnEnd    func(err error)
	Listener *net.UnixListener
}

func (o endOptions) sender() SenderOptions {
	return SenderOptions{
		Socket: o.Socket, Keep: o.Keep, Access: o.Access,
		Limit: o.Limit, OnLimit: o.OnLimit, ResumeAt: o.ResumeAt, BlockTimeout: o.BlockTimeout, Buffer: o.Buffer, Batch: o.Batch, Recycle: o.Recycle, Fresh: o.Fresh, Framing: o.Framing,
	}
}

func (o endOptions) receiver() ReceiverOptions {
	return ReceiverOptions{Socket: o.Socket, Keep: o.Keep, Access: o.Access, Follow: o.Follow, OnEnd: o.OnEnd, Listener: o.Listener}
}

// place is a segment's name and a socket that no other test has. What is there is
// removed at the end.
func place(t testing.TB) (name string, opt endOptions) {
	t.Helper()
	name = testenv.SegmentName(t)
	return name, endOptions{Socket: filepath.Join(testenv.PrivateDir(t), "socket")}
}

func create(t testing.TB, name string, opt endOptions) *Sender {
	t.Helper()
	s, err := newSender(t.Context(), name, opt.sender()) // any Limit
	if err != nil {
		t.Fatal(err)
	}
	go s.loop.run()
	// Not Close, which waits for a Receiver that is still there when a test has failed. An
	// error when the test has closed it.
	t.Cleanup(func() { s.Abort() })
	return s
}

func open(t testing.TB, name string, opt endOptions) *Receiver {
	t.Helper()
	r, err := Open(t.Context(), name, opt.receiver())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// pair is both ends of a transfer in this process.
func pair(t testing.TB, opt endOptions) (*Sender, *Receiver) {
	t.Helper()
	name, at := place(t)
	opt.Socket = at.Socket
	return create(t, name, opt), open(t, name, opt)
}

// apart is a pair that does not meet: the Receiver does not say where it listens, and
// that is not where the Sender looks for it.
func apart(t *testing.T, name string, opt endOptions) (*Sender, *Receiver) {
	t.Helper()
	elsewhere := opt
	elsewhere.Socket = filepath.Join(testenv.PrivateDir(t), "elsewhere")
	s, err := newSender(t.Context(), name, elsewhere.sender())
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, name, opt)
	r.segment.Header().ConsumerSocket.Store("")
	go s.loop.run()
	t.Cleanup(func() { s.Abort() })
	return s, r
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

// wantMessages expects these messages next. They stay held.
func wantMessages(t *testing.T, r *Receiver, want ...string) {
	t.Helper()
	for _, msg := range want {
		ctx, cancel := context.WithTimeout(t.Context(), testenv.Timeout)
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
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Timeout)
	defer cancel()
	if msg, err := r.Next(ctx); !errors.Is(err, want) {
		t.Fatalf("took %.40q, %v; want %v", msg, err, want)
	}
}

// stillMapped expects that this process has n buffers mapped, once those are gone that an
// end has left which nobody has any more.
func stillMapped(t *testing.T, n int) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("an end of all mappings but %d", n), func() bool {
		runtime.GC()
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), "/memfd:sluice") == n
	})
}

// lostIn is an error with the number of messages that it says were lost.
func lostIn(err error) (lost uint64, _ error) {
	var undelivered *UndeliveredError
	if errors.As(err, &undelivered) {
		lost = undelivered.Lost
	}
	return lost, err
}

// finish waits until all is delivered, as Shutdown does, and closes.
func finish(ctx context.Context, s *Sender) (lost uint64, err error) {
	return lostIn(errors.Join(s.Shutdown(ctx), s.Close()))
}

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Children{"dial": dialAsNobody, "listen": listenAsNobody, "hold": holdMessages})
}
