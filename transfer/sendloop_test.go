package transfer

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// step makes the send loop of a stepped Sender take a step, and go on after it.
func step(t *testing.T, s *Sender) {
	t.Helper()
	if more, err := s.loop.step(); !more || err != nil {
		t.Fatalf("more %v, %v", more, err)
	}
}

// connected is a stepped Sender and its Receiver.
func connected(t *testing.T, opt endOptions) (*Sender, *Receiver) {
	t.Helper()
	s := stepped(t, opt)
	r := open(t, s.segment.Name(), endOptions{Socket: s.loop.dialer.path})
	if err := s.loop.connect(); err != nil || s.loop.conn == nil {
		t.Fatalf("connected %v, %v", s.loop.conn != nil, err)
	}
	return s, r
}

// A Sender that is closing makes no progress of its own, and would be taken for stopped.
func TestSendLoop_Closing_NotesProgress(t *testing.T) {
	s := stepped(t, endOptions{})
	send(t, s, "a")
	s.own.ProgressAt.Store(0)
	step(t, s)
	if s.own.ProgressAt.Load() != 0 {
		t.Error("the send loop speaks for a Sender that is not closing")
	}
	s.loop.closing.Store(true)
	step(t, s)
	if s.own.ProgressAt.Load() == 0 {
		t.Error("no progress is noted")
	}
}

func TestSendLoop_SegmentRemoved_Ends(t *testing.T) {
	s := stepped(t, endOptions{})
	send(t, s, "a")
	step(t, s)
	if err := os.Remove(shm.Path(s.segment.Name())); err != nil {
		t.Fatal(err)
	}
	_, err := s.loop.step()
	testenv.WantErr(t, err, shm.ErrRemoved)
}

// How long a socket lets nobody in, or the consumer listens elsewhere, counts from when it
// did so last without a break: else a producer would end as soon as it does so again.
func TestSendLoop_RefusalOver_Forgotten(t *testing.T) {
	s := stepped(t, endOptions{})
	l := s.loop
	d := &l.dialer
	try := func(what string, connect func() error) {
		t.Helper()
		d.deniedSince = time.Now().Add(-time.Hour)
		d.elsewhereSince = d.deniedSince
		if err := connect(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if !d.deniedSince.IsZero() || !d.elsewhereSince.IsZero() {
			t.Errorf("%s: denied since %v, elsewhere since %v", what, d.deniedSince, d.elsewhereSince)
		}
	}
	try("nobody listens", l.connect)
	try("no descriptor is left", func() (err error) {
		under(t, unix.EMFILE, seccomp.Call(unix.SYS_SOCKET), func() { err = l.connect() })
		return err
	})
	try("the consumer has no time", func() (err error) {
		under(t, unix.EAGAIN, seccomp.Call(unix.SYS_CONNECT), func() { err = l.connect() })
		return err
	})
	open(t, s.segment.Name(), endOptions{Socket: d.path})
	try("the consumer is there", l.connect)
}

func TestSendLoop_Sent_ReasonCleared(t *testing.T) {
	s := stepped(t, endOptions{})
	send(t, s, "a")
	want := func(o layout.RefuseReason) {
		t.Helper()
		if got := layout.RefuseReason(s.own.RefuseReason.Load()); got != o {
			t.Errorf("%v is in the way, want %v", got, o)
		}
	}
	step(t, s)
	want(layout.RefuseNoConsumer)
	r := open(t, s.segment.Name(), endOptions{Socket: s.loop.dialer.path})
	step(t, s)
	wantMessages(t, r, "a")
	want(layout.RefuseNone)
}

// The kernel may have no room for a packet for other reasons than a full socket.
func TestSendLoop_PacketRefused_SentLater(t *testing.T) {
	for errno, want := range map[unix.Errno]layout.RefuseReason{
		unix.ETOOMANYREFS: layout.RefuseInFlight,
		unix.ENOBUFS:      layout.RefuseSocketFull,
		unix.ENOMEM:       layout.RefuseSocketFull,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			s, r := connected(t, endOptions{})
			send(t, s, "a")
			moved, err := true, error(nil)
			under(t, errno, seccomp.Call(unix.SYS_SENDMSG), func() { moved, err = s.loop.sendUnsent() })
			if got := layout.RefuseReason(s.own.RefuseReason.Load()); moved || err != nil || got != want || s.own.Refused.Load() != 1 {
				t.Errorf("moved %v, %v; %v is in the way, refused %d times", moved, err, got, s.own.Refused.Load())
			}
			if n := s.own.Buffers.Load(); n != 0 {
				t.Errorf("%d buffers are said to have left", n)
			}
			step(t, s)
			wantMessages(t, r, "a")
		})
	}
}

// The first packet of a connection and its last wait for room in the socket as long as it
// takes, and nobody need ever read it.
func TestSendLoop_EndDoesNotFit_WaitsUntilAbort(t *testing.T) {
	s, r := connected(t, endOptions{})
	testenv.Eventually(t, "a look at the hello, which makes room", func() bool {
		r.accept.mu.Lock()
		defer r.accept.mu.Unlock()
		return len(r.accept.ready) == 1
	})
	l := s.loop
	h := head{kind: kindEnd, segment: l.id}
	err := l.conn.raw.Control(func(fd uintptr) {
		for unix.Sendmsg(int(fd), h.append(nil), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) == nil {
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan error)
	go func() { stuck <- l.sendHead(kindEnd, l.sent) }()
	l.stopping.Store(true)
	select {
	case <-l.stopped: // then it waits for Abort itself, and does so again
	case <-time.After(testenv.Timeout):
		t.Fatal("stopSending is not answered")
	}
	l.stopping.Store(false)
	l.aborted.Store(true)
	select {
	case err := <-stuck:
		testenv.WantErr(t, err, unix.EPIPE)
	case <-time.After(testenv.Timeout):
		t.Fatal("it does not end")
	}
	// Nor is any other packet sent now, or counted as if it were.
	send(t, s, "a")
	if _, err := l.sendUnsent(); err != nil || s.queue.unsent() != 1 || s.own.Buffers.Load() != 0 {
		t.Errorf("%v; %d messages wait, %d buffers are said to have left", err, s.queue.unsent(), s.own.Buffers.Load())
	}
}
