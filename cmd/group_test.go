package cmd_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// Numbers that stand for no user of this machine, and a group that the first two are in.
const (
	alice, bob, mallory = 54321, 54322, 54323
	shared              = 54329
)

// as is the attribute of a process of that user, in his own group and in others.
func as(user uint32, groups ...uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user, Groups: groups}}
}

// common returns a folder for a socket that both may use, as /run/sluice is.
func common(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start commands as somebody else")
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
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

func TestMembersOfAGroupTakePartWhenBothSidesAskForIt(t *testing.T) {
	dir := common(t)
	for _, mode := range []string{"ring", "transfer"} {
		t.Run(mode, func(t *testing.T) {
			name := segmentName(t)
			side := func(user uint32, command string, args ...string) *proc {
				args = append(args, "--name", name, "--group", strconv.Itoa(shared), "--socket", filepath.Join(dir, mode))
				if command == "producer" && mode == "ring" {
					args = args[:len(args)-2]
				}
				return startWith(t, command, run{Args: args, Attr: as(user, shared)})
			}
			p := side(alice, "producer", "--mode", mode, "--rate", "20000")
			c := side(bob, "consumer", "--verify")
			moved(t, name, 1000)
			var st unix.Stat_t
			if err := unix.Stat(shm.Path(name), &st); err != nil || st.Uid != alice || st.Gid != shared || st.Mode&0o777 != 0o660 {
				t.Errorf("%v: user %d, group %d, mode %o", err, st.Uid, st.Gid, st.Mode)
			}
			if mode == "transfer" {
				if err := unix.Stat(filepath.Join(dir, mode), &st); err != nil || st.Uid != bob || st.Gid != shared || st.Mode&0o777 != 0o660 {
					t.Errorf("socket: %v: user %d, group %d, mode %o", err, st.Uid, st.Gid, st.Mode)
				}
			}
			c.kill()
			c = side(bob, "consumer", "--verify")
			moved(t, name, 1000)
			p.signal(unix.SIGTERM)
			p.ends(0)
			c.ends(0) // the last one out, or not; and only alice can remove the file
			if h := header(name); h != nil && h.Producer.Count.Load() != h.Consumer.Count.Load() {
				t.Error("there are unread messages")
			}
			c = side(alice, "consumer", "--verify", "--follow")
			c.reporting()                                                  // and does not die of a signal
			side(bob, "producer", "--mode", mode, "--count", "10").ends(0) // what may be alice's serves bob
			c.signal(unix.SIGTERM)
			c.ends(0)
			if err := unix.Stat(shm.Path(name), &st); err == nil && st.Uid != bob {
				t.Error("alice was the last one out, and left a file of her own")
			}
		})
	}
}

func TestWhoIsRefusedInSpiteOfAGroup(t *testing.T) {
	common(t)
	name, group := segmentName(t), strconv.Itoa(shared)
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--group", group, "--rate", "10"}, Attr: as(alice, shared)})
	p.reporting()
	for _, c := range []struct {
		what string
		code int
		says string
		run  run
	}{
		{"a member who does not ask", 6, "--group", run{Args: []string{"--name", name}, Attr: as(bob, shared)}},
		{"a member who asks for another group of his", 6, "belongs to user", run{Args: []string{"--name", name, "--group", fmt.Sprint(bob)}, Attr: as(bob, shared)}},
		{"somebody else", 2, "not in group", run{Args: []string{"--name", name, "--group", group}, Attr: as(mallory)}},
		{"who asks for a group that there is not", 2, "there is no group", run{Args: []string{"--name", name, "--group", "no-such-group"}}},
	} {
		t.Run(c.what, func(t *testing.T) { startWith(t, "consumer", c.run).refuses(c.code, c.says) })
	}
}

// The socket's mode lets alice connect, who then has to be who was asked for.
func TestASocketOfATransferIsForTheGroupAlone(t *testing.T) {
	dir := common(t)
	name, socket := segmentName(t), filepath.Join(dir, "s")
	args := []string{"--name", name, "--socket", socket}
	startWith(t, "producer", run{Args: append(args, "--mode", "transfer", "--group", strconv.Itoa(shared), "--rate", "100"), Attr: as(alice, shared)})
	// A consumer of root's, who needs no group to open the segment, does not ask for one.
	startWith(t, "consumer", run{Args: args}).refuses(6, "belongs to user")
	c := startWith(t, "consumer", run{Args: append(args, "--group", strconv.Itoa(shared)), Attr: as(bob, shared)})
	moved(t, name, 10)
	c.signal(unix.SIGTERM)
	c.ends(0)
}

// Whoever makes a socket binds it first, and opens it to the group after that. A
// producer that comes between the two waits.
func TestASocketThatIsNotYetOpenToTheGroupIsWaitedFor(t *testing.T) {
	socket := filepath.Join(common(t), "s")
	name := segmentName(t)
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
	open(bob, 0o600)
	args := transferring(name, "--group", strconv.Itoa(shared), "--socket", socket, "--count", "10")
	p := startWith(t, "producer", run{Args: args, Attr: as(alice, shared)})
	eventually(t, name, "messages", func(h *layout.Header) bool { return h.Producer.Count.Load() == 10 })
	time.Sleep(200 * time.Millisecond) // it has found the door closed by then
	open(shared, 0o660)
	l.SetDeadline(time.Now().Add(patience))
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("%v; the producer: %s", err, p.stderr.String())
	}
	conn.Close()
	l.Close()
	p.signal(unix.SIGTERM)
	p.ends(1) // nobody took them

	l, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	startWith(t, "producer", run{Args: args, Attr: as(alice, shared)}).refuses(1, "permission denied")
}
