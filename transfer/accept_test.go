package transfer

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/shm"
)

// accepts is an acceptor without a Receiver.
func accepts(t *testing.T) *acceptor {
	t.Helper()
	s, err := listen(filepath.Join(testenv.PrivateDir(t), "socket"), shm.Access{}, false)
	if err != nil {
		t.Fatal(err)
	}
	return newAcceptor(s, shm.Access{}, 1)
}

// connections is both ends of one that says nothing.
func connections(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends []*net.UnixConn
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, conn.(*net.UnixConn))
	}
	t.Cleanup(func() { ends[1].Close() })
	return ends[0], ends[1]
}

// waitsFor makes an acceptor wait, without end, for what n connections say, and returns the
// other ends of those, the oldest first.
func waitsFor(t *testing.T, a *acceptor, n int) (peers []*net.UnixConn) {
	t.Helper()
	peer := map[*net.UnixConn]*net.UnixConn{}
	for len(peers) < n {
		ours, theirs := connections(t)
		if err := a.add(ours); err != nil {
			t.Fatal(err)
		}
		peer[ours] = theirs
		a.mu.Lock()
		peers = nil
		for _, p := range a.pending { // but for one whose second is over already
			p.conn.SetReadDeadline(time.Time{})
			peers = append(peers, peer[p.conn])
		}
		a.mu.Unlock()
	}
	return peers
}

// wantEnded expects that the other end of a connection is closed.
func wantEnded(t *testing.T, conn *net.UnixConn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(testenv.Timeout))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || timedOut(err) {
		t.Errorf("%d bytes, %v: it is not closed", n, err)
	}
}

func TestAcceptor_TooManySilent_OldestClosed(t *testing.T) {
	a := accepts(t)
	t.Cleanup(func() { a.close() }) // when nobody is silent any more
	peers := waitsFor(t, a, maxPending)
	ours, _ := connections(t)
	if err := a.add(ours); err != nil {
		t.Fatal(err)
	}
	wantEnded(t, peers[0])
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.pending); n > maxPending {
		t.Errorf("it waits for %d connections", n)
	}
}

func TestAcceptor_Close_DoesNotWait(t *testing.T) {
	a := accepts(t)
	peers := waitsFor(t, a, 3)
	closed := make(chan error)
	go func() { closed <- a.close() }()
	select {
	case err := <-closed:
		testenv.WantErr(t, err, nil)
	case <-time.After(testenv.Timeout):
		t.Fatal("it waits for one that says nothing")
	}
	late, peer := connections(t) // accepted before, and added after it
	if err := a.add(late); err != nil || len(a.pending) > 0 {
		t.Errorf("%v, %d connections are waited for", err, len(a.pending))
	}
	for _, conn := range append(peers, peer) {
		wantEnded(t, conn)
	}
}

// Who has asked waits for the answer.
func TestAcceptor_TellsWhenItHasLooked(t *testing.T) {
	a := accepts(t)
	defer a.close()
	const holder = 7
	if a.allCame(holder) {
		t.Error("it has not looked so far")
	}
	select {
	case <-a.wake:
	case <-time.After(testenv.Timeout):
		t.Fatal("it does not tell")
	}
	if !a.allCame(holder) {
		t.Error("it has looked")
	}
}
