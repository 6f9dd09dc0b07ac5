package transfer

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/shm"
)

// becomeNobody makes this process, a child of the tests, one of another user.
func becomeNobody() error {
	for _, err := range []error{syscall.Setgroups(nil), syscall.Setgid(testenv.Nobody), syscall.Setuid(testenv.Nobody)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// listenAsNobody listens at a socket as another user's consumer, and prints what comes.
func listenAsNobody(args []string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: args[0], Net: network})
	if err != nil {
		return err
	}
	if err := os.Chmod(args[0], 0o666); err != nil {
		return err
	}
	fmt.Println("listening")
	conn, err := l.AcceptUnix()
	if err != nil {
		return err
	}
	n, err := conn.Read(make([]byte, headSize))
	fmt.Println("got", n, err)
	return nil
}

// dialAsNobody connects to a socket as another user's producer, says hello for the segment
// that was created at args[1], sends a buffer, and prints what comes back.
func dialAsNobody(args []string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	id, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: args[0], Net: network})
	if err != nil {
		return err
	}
	fd, err := newSealed([]byte("from him"))
	if err != nil {
		return err
	}
	for _, err := range []error{
		control(conn, func(s int) error { return unix.Sendmsg(s, packet(head{kind: kindHello, segment: id}), nil, nil, 0) }),
		control(conn, func(s int) error {
			return unix.Sendmsg(s, packet(head{kind: kindBuffers, segment: id}, one), unix.UnixRights(fd), nil, 0)
		}),
	} {
		if err != nil && !disconnected(err) { // it may have been sent away already
			return err
		}
	}
	fmt.Println("sent")
	n, err := conn.Read(make([]byte, 1))
	fmt.Println("got", n, err)
	return nil
}

// asNobody starts another user's process, and returns what expects a line that begins like
// that next.
func asNobody(t *testing.T, child, socket string, created uint64) (wantLine func(prefix string)) {
	t.Helper()
	testenv.RequireRoot(t)
	c := testenv.StartChild(t, child, socket, fmt.Sprint(created))
	return func(prefix string) {
		t.Helper()
		if line := c.ReadLine(); !strings.HasPrefix(line, prefix) {
			t.Fatalf("the other user's process prints %q, want %q", line, prefix)
		}
	}
}

// reachable lets other users get to a directory.
func reachable(t *testing.T, dir string) {
	t.Helper()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// The mode of the socket keeps him out. Here it does not, and who he is does. That
// a group may take part lets nobody in who is not of it.
func TestOtherUser_Producer_Refused(t *testing.T) {
	testenv.RequireRoot(t)
	group, err := shm.GroupAccess(os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	for from, access := range map[string]shm.Access{"a user": {}, "a group": group} {
		t.Run(from, func(t *testing.T) {
			in, r := newRawProducer(t, access)
			reachable(t, filepath.Dir(in.opt.Socket))
			if err := os.Chmod(in.opt.Socket, 0o666); err != nil {
				t.Fatal(err)
			}
			wantLine := asNobody(t, "dial", in.opt.Socket, in.head(kindHello).segment)
			wantLine("sent")
			in.serves(r) // and not him
			wantLine("got 0")
		})
	}
}

func TestOtherUser_Consumer_GetsNothing(t *testing.T) {
	testenv.RequireRoot(t)
	name, opt := place(t)
	opt.Socket = filepath.Join(directory(t, 0o755, testenv.Nobody), "socket")
	reachable(t, filepath.Dir(opt.Socket))
	s := create(t, name, opt)
	send(t, s, "a secret")
	wantLine := asNobody(t, "listen", opt.Socket, 0)
	wantLine("listening")
	testenv.Eventually(t, "a refusal", func() bool { return s.loop.failed() != nil })
	testenv.WantErr(t, s.Send(t.Context(), nil), ErrPeer)
	wantLine("got 0 EOF")
	lost, err := finish(t.Context(), s)
	testenv.WantErr(t, err, ErrPeer)
	if lost != 1 {
		t.Errorf("%d lost", lost)
	}
}
