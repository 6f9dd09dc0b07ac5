package transfer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// A stranger is this program again, as another user. What it is to do stands in
// the environment: a word, the socket, and the segment's CreatedAt.
const strangerEnv = "SLUICE_TEST_TRANSFER_STRANGER"

const nobody = 65534

func init() {
	todo := strings.Fields(os.Getenv(strangerEnv))
	if len(todo) == 0 {
		return
	}
	if err := stranger(todo[0], todo[1], todo[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func stranger(word, socket, created string) error {
	for _, err := range []error{syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)} {
		if err != nil {
			return err
		}
	}
	addr := &net.UnixAddr{Name: socket, Net: network}
	if word == "listen" {
		l, err := net.ListenUnix(network, addr)
		if err != nil {
			return err
		}
		if err := os.Chmod(socket, 0o666); err != nil {
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
	id, err := strconv.ParseUint(created, 10, 64)
	if err != nil {
		return err
	}
	conn, err := net.DialUnix(network, nil, addr)
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
		if err != nil && !disconnected(err) { // he may have been sent away already
			return err
		}
	}
	fmt.Println("sent")
	n, err := conn.Read(make([]byte, 1))
	fmt.Println("got", n, err)
	return nil
}

// strange starts a stranger and returns what it says.
func strange(t *testing.T, word, socket string, created uint64) (says func(want string)) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", strangerEnv, word, socket, created))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(io.LimitReader(out, 1<<16))
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("the stranger says %q, want %q", lines.Text(), want)
		}
	}
}

// reachable lets strangers get to a directory.
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
func TestAnotherUsersProducerIsSentAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start a process as somebody else")
	}
	group, err := shm.GroupAccess(os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	for from, access := range map[string]shm.Access{"a user": {}, "a group": group} {
		t.Run(from, func(t *testing.T) {
			in, r := intrude(t, access)
			reachable(t, filepath.Dir(in.opt.Socket))
			if err := os.Chmod(in.opt.Socket, 0o666); err != nil {
				t.Fatal(err)
			}
			says := strange(t, "dial", in.opt.Socket, in.head(kindHello).segment)
			says("sent")
			in.serves(r) // and not him
			says("got 0")
		})
	}
}

func TestAnotherUsersConsumerGetsNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start a process as somebody else")
	}
	name, opt := place(t)
	opt.Socket = filepath.Join(directory(t, 0o755, nobody), "socket")
	reachable(t, filepath.Dir(opt.Socket))
	s := create(t, name, opt)
	send(t, s, "a secret")
	says := strange(t, "listen", opt.Socket, 0)
	says("listening")
	eventually(t, "a refusal", func() bool { return s.loop.failed() != nil })
	is(t, s.Send(t.Context(), nil), ErrPeer)
	says("got 0 EOF")
	lost, err := finish(t.Context(), s)
	is(t, err, ErrPeer)
	if lost != 1 {
		t.Errorf("%d lost", lost)
	}
}
