package transfer

import (
	"net"
	"os"
	"strings"
	"testing"
)

// keeper listens as systemd does, and keeps the socket.
func keeper(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	return l
}

// handOver returns the socket as a service gets it: another descriptor of the same.
func handOver(t *testing.T, l *net.UnixListener) *net.UnixListener {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return other.(*net.UnixListener)
}

func TestListener_Given_Used(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	send(t, s, "before anybody accepts")
	l := handOver(t, keeper(t, opt.Socket))
	given := opt
	given.Listener, given.Socket = l, strings.Repeat("x", maxPath+1) // which is not looked at
	r := open(t, name, given)
	wantMessages(t, r, "before anybody accepts")
	r.Release()
	ended(t, s, r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(opt.Socket); err != nil {
		t.Errorf("the socket is not the Receiver's to remove: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("it was not closed")
	}
}

// What comes to the socket while there is no consumer waits for the next one.
func TestListener_Given_OutlivesReceivers(t *testing.T) {
	name, opt := place(t)
	l := keeper(t, opt.Socket)
	s := create(t, name, opt)
	for _, msg := range []string{"one", "two", "three"} {
		send(t, s, msg)
		opt.Listener = handOver(t, l)
		r := open(t, name, opt)
		wantMessages(t, r, msg)
		r.Release()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestListener_Given_OpenFails_Closed(t *testing.T) {
	name, opt := place(t)
	seg := aRing(t, name)
	defer seg.Leave(never)
	l := keeper(t, opt.Socket)
	for what, name := range map[string]string{"a ring": name, "a bad name": "a/b"} {
		opt.Listener = handOver(t, l)
		if _, err := Open(t.Context(), name, opt.receiver()); err == nil {
			t.Fatalf("%s was opened", what)
		}
		if _, err := opt.Listener.Accept(); err == nil {
			t.Errorf("%s: the socket is still open", what)
		}
	}
}
