package cmd_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// Numbers that stand for no user of this machine, and a group that the first two are in.
const (
	alice, bob, mallory = 54321, 54322, 54323
	shared              = 54329
)

// common returns a folder for a socket that both may use, as /run/sluice is.
func common(t *testing.T) string {
	t.Helper()
	testenv.RequireRoot(t)
	dir, err := os.MkdirTemp("/run", "sluice-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, 0, shared); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o775|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGroup_Members_TakePart(t *testing.T) {
	t.Parallel()
	dir := common(t)
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := testenv.SegmentName(t)
			side := func(user uint32, command string, args ...string) *testenv.Process {
				args = append(args, "--name", name, "--group", strconv.Itoa(shared), "--socket", filepath.Join(dir, mode))
				if command == "producer" && mode == "ring" {
					args = args[:len(args)-2]
				}
				return testenv.StartWith(t, command, testenv.Options{Args: args, Attr: testenv.AsUser(t, user, shared)})
			}
			p := side(alice, "producer", "--mode", mode, "--rate", "20000")
			c := side(bob, "consumer", "--verify")
			testenv.EventuallyConsumed(t, name, 1000)
			var st unix.Stat_t
			if err := unix.Stat(shm.Path(name), &st); err != nil || st.Uid != alice || st.Gid != shared || st.Mode&0o777 != 0o660 {
				t.Errorf("%v: user %d, group %d, mode %o", err, st.Uid, st.Gid, st.Mode)
			}
			if mode == "transfer" {
				if err := unix.Stat(filepath.Join(dir, mode), &st); err != nil || st.Uid != bob || st.Gid != shared || st.Mode&0o777 != 0o660 {
					t.Errorf("socket: %v: user %d, group %d, mode %o", err, st.Uid, st.Gid, st.Mode)
				}
			}
			c.Kill()
			c = side(bob, "consumer", "--verify")
			testenv.EventuallyConsumed(t, name, 1000)
			p.Signal(unix.SIGTERM)
			p.WantExit(0)
			c.WantExit(0) // the last one out, or not; and only alice can remove the file
			if h := testenv.Header(name); h != nil && h.Count(layout.Producer) != h.Count(layout.Consumer) {
				t.Error("there are unread messages")
			}
			c = side(alice, "consumer", "--verify", "--follow")
			c.EventuallyPrints("\n")                                           // and does not die of a signal
			side(bob, "producer", "--mode", mode, "--count", "10").WantExit(0) // what may be alice's serves bob
			c.Signal(unix.SIGTERM)
			c.WantExit(0)
			if err := unix.Stat(shm.Path(name), &st); err == nil && st.Uid != bob {
				t.Error("alice was the last one out, and left a file of her own")
			}
		})
	}
}

func TestGroup_Refused(t *testing.T) {
	t.Parallel()
	common(t)
	name, group := testenv.SegmentName(t), strconv.Itoa(shared)
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--group", group, "--rate", "10"}, Attr: testenv.AsUser(t, alice, shared)})
	p.EventuallyPrints("\n")
	for _, c := range []struct {
		what string
		code int
		says string
		opt  testenv.Options
	}{
		{"a member who does not ask", 6, "--group", testenv.Options{Args: []string{"--name", name}, Attr: testenv.AsUser(t, bob, shared)}},
		{"a member who asks for another group of his", 6, "belongs to another user", testenv.Options{Args: []string{"--name", name, "--group", fmt.Sprint(bob)}, Attr: testenv.AsUser(t, bob, shared)}},
		{"somebody else", 2, "not in group", testenv.Options{Args: []string{"--name", name, "--group", group}, Attr: testenv.AsUser(t, mallory)}},
		{"a group that does not exist", 2, "unknown group", testenv.Options{Args: []string{"--name", name, "--group", "no-such-group"}}},
	} {
		t.Run(c.what, func(t *testing.T) { testenv.StartWith(t, "consumer", c.opt).WantError(c.code, c.says) })
	}
}

// The socket's mode lets alice connect, who then has to be who was asked for.
func TestGroup_TransferSocket(t *testing.T) {
	t.Parallel()
	dir := common(t)
	name, socket := testenv.SegmentName(t), filepath.Join(dir, "s")
	args := []string{"--name", name, "--socket", socket}
	testenv.StartWith(t, "producer", testenv.Options{Args: append(args, "--mode", "transfer", "--group", strconv.Itoa(shared), "--rate", "100"), Attr: testenv.AsUser(t, alice, shared)})
	// A consumer of root's, who needs no group to open the segment, does not ask for one.
	testenv.StartWith(t, "consumer", testenv.Options{Args: args}).WantError(6, "belongs to another user")
	c := testenv.StartWith(t, "consumer", testenv.Options{Args: append(args, "--group", strconv.Itoa(shared)), Attr: testenv.AsUser(t, bob, shared)})
	testenv.EventuallyConsumed(t, name, 10)
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
}

// Whoever makes a socket binds it first, and opens it to the group after that. A
// producer that comes between the two waits.
func TestGroup_SocketNotYetOpen_ProducerWaits(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(common(t), "s")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	open := func(gid int, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.Lchown(socket, bob, gid), os.Chmod(socket, mode)); err != nil {
			t.Fatal(err)
		}
	}
	var p *testenv.Process
	var args []string
	for range 5 { // it waits for a second, which may be over when this test is run again
		name := testenv.SegmentName(t)
		open(bob, 0o600)
		args = testenv.TransferArgs(name, "--group", strconv.Itoa(shared), "--socket", socket, "--count", "10")
		p = testenv.StartWith(t, "producer", testenv.Options{Args: args, Attr: testenv.AsUser(t, alice, shared)})
		testenv.EventuallyHeader(t, name, "messages", func(h *layout.Header) bool { return h.Count(layout.Producer) == 10 })
		time.Sleep(200 * time.Millisecond) // by then it has tried to connect, and was refused
		open(shared, 0o660)
		if !isClosed(p.Exited) {
			break
		}
	}
	l.SetDeadline(time.Now().Add(testenv.Timeout))
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("%v; the producer: %s", err, p.Stderr.String())
	}
	conn.Close()
	l.Close()
	p.Signal(unix.SIGTERM)
	p.WantExit(1) // nobody took them

	l, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.StartWith(t, "producer", testenv.Options{Args: args, Attr: testenv.AsUser(t, alice, shared)}).WantError(1, "permission denied")
}
