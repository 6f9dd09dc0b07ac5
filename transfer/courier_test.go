package transfer

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/layout"
	"sluice/shm"
)

// step makes the courier of a stepped Sender take a step, and go on after it.
func step(t *testing.T, s *Sender) {
	t.Helper()
	if more, err := s.courier.step(); !more || err != nil {
		t.Fatalf("more %v, %v", more, err)
	}
}

// connected is a stepped Sender and its Receiver.
func connected(t *testing.T, opt Options) (*Sender, *Receiver) {
	t.Helper()
	s := stepped(t, opt)
	r := open(t, s.segment.Name(), Options{Socket: s.courier.path})
	if err := s.courier.connect(); err != nil || s.courier.conn == nil {
		t.Fatalf("connected %v, %v", s.courier.conn != nil, err)
	}
	return s, r
}

// A Sender that is closing makes no progress of its own, and would be taken for stopped.
func TestACourierShowsThatASenderThatClosesLives(t *testing.T) {
	s := stepped(t, Options{})
	send(t, s, "a")
	s.own.ProgressAt.Store(0)
	step(t, s)
	if s.own.ProgressAt.Load() != 0 {
		t.Error("the courier speaks for a Sender that is not closing")
	}
	s.courier.closing.Store(true)
	step(t, s)
	if s.own.ProgressAt.Load() == 0 {
		t.Error("no progress is noted")
	}
}

func TestNoConsumerIsWaitedForInASegmentThatNobodyFinds(t *testing.T) {
	s := stepped(t, Options{})
	send(t, s, "a")
	step(t, s)
	if err := os.Remove(shm.Path(s.segment.Name())); err != nil {
		t.Fatal(err)
	}
	_, err := s.courier.step()
	is(t, err, shm.ErrRemoved)
}

// How long a socket lets nobody in, or the consumer listens elsewhere, counts from when it
// did so last without a break: else a producer would end as soon as it does so again.
func TestARefusalThatIsOverIsForgotten(t *testing.T) {
	s := stepped(t, Options{})
	c := s.courier
	try := func(what string, connect func() error) {
		t.Helper()
		c.denied = time.Now().Add(-time.Hour)
		c.elsewhere = c.denied
		if err := connect(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if !c.denied.IsZero() || !c.elsewhere.IsZero() {
			t.Errorf("%s: denied since %v, elsewhere since %v", what, c.denied, c.elsewhere)
		}
	}
	try("nobody listens", c.connect)
	try("no descriptor is left", func() (err error) {
		under(t, unix.EMFILE, seccomp.Call(unix.SYS_SOCKET), func() { err = c.connect() })
		return err
	})
	try("the consumer has no time", func() (err error) {
		under(t, unix.EAGAIN, seccomp.Call(unix.SYS_CONNECT), func() { err = c.connect() })
		return err
	})
	open(t, s.segment.Name(), Options{Socket: c.path})
	try("the consumer is there", c.connect)
}

func TestWhatWasInTheWayIsNotWhenAMessageIsSent(t *testing.T) {
	s := stepped(t, Options{})
	send(t, s, "a")
	want := func(o layout.RefuseReason) {
		t.Helper()
		if got := layout.RefuseReason(s.own.RefuseReason.Load()); got != o {
			t.Errorf("%v is in the way, want %v", got, o)
		}
	}
	step(t, s)
	want(layout.RefuseNoConsumer)
	r := open(t, s.segment.Name(), Options{Socket: s.courier.path})
	step(t, s)
	takes(t, r, "a")
	want(layout.RefuseNone)
}

// The kernel may have no room for a packet for other reasons than a full socket.
func TestAPacketThatIsRefusedIsSentLater(t *testing.T) {
	for errno, want := range map[unix.Errno]layout.RefuseReason{
		unix.ETOOMANYREFS: layout.RefuseInFlight,
		unix.ENOBUFS:      layout.RefuseSocketFull,
		unix.ENOMEM:       layout.RefuseSocketFull,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			s, r := connected(t, Options{})
			send(t, s, "a")
			moved, err := true, error(nil)
			under(t, errno, seccomp.Call(unix.SYS_SENDMSG), func() { moved, err = s.courier.deliver() })
			if got := layout.RefuseReason(s.own.RefuseReason.Load()); moved || err != nil || got != want || s.own.Refused.Load() != 1 {
				t.Errorf("moved %v, %v; %v is in the way, refused %d times", moved, err, got, s.own.Refused.Load())
			}
			if n := s.own.Buffers.Load(); n != 0 {
				t.Errorf("%d buffers are said to have left", n)
			}
			step(t, s)
			takes(t, r, "a")
		})
	}
}

// The first packet of a connection and its last wait for room in the socket as long as it
// takes, and nobody need ever read it.
func TestAnEndThatDoesNotFitWaitsUntilAbort(t *testing.T) {
	s, r := connected(t, Options{})
	eventually(t, "a look at the hello, which makes room", func() bool {
		r.accept.mu.Lock()
		defer r.accept.mu.Unlock()
		return len(r.accept.ready) == 1
	})
	c := s.courier
	h := head{kind: kindEnd, segment: c.id}
	err := c.raw.Control(func(fd uintptr) {
		for unix.Sendmsg(int(fd), h.append(nil), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) == nil {
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan error)
	go func() { stuck <- c.sendHead(kindEnd, c.last) }()
	c.halting.Store(true)
	select {
	case <-c.halted: // then it waits for Abort itself, and does so again
	case <-time.After(patience):
		t.Fatal("halt is not answered")
	}
	c.halting.Store(false)
	c.aborted.Store(true)
	select {
	case err := <-stuck:
		is(t, err, unix.EPIPE)
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	// Nor is any other packet sent now, or counted as if it were.
	send(t, s, "a")
	if _, err := c.deliver(); err != nil || c.outbox.len() != 1 || s.own.Buffers.Load() != 0 {
		t.Errorf("%v; %d messages wait, %d buffers are said to have left", err, c.outbox.len(), s.own.Buffers.Load())
	}
}

// A buffer that could not be made leaves all counts as they were, and its number is no
// other buffer's.
func TestABufferThatCannotBeMadeIsNotCounted(t *testing.T) {
	s := stepped(t, Options{Recycle: true, Limit: 1 << 20})
	c := s.courier
	pooledOf := func(n uint64) *recycledBuffer {
		t.Helper()
		b, err := c.pool.get(n, 0)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	given, kept, last := pooledOf(10), pooledOf(10), pooledOf(10)
	c.pool.put(given)
	c.pool.evict()
	weight := 2 * pageSize
	c.memory.add(weight)
	files, memory := c.files.held.Load(), c.memory.taken.Load()
	var one, other error
	under(t, unix.ENOMEM, seccomp.Call(unix.SYS_MEMFD_CREATE), func() {
		_, one = c.pool.get(weight, weight)
		_, other = c.seal([]byte("a"))
	})
	is(t, one, unix.ENOMEM)
	is(t, other, unix.ENOMEM)
	if c.files.held.Load() != files || c.memory.taken.Load() != memory {
		t.Errorf("%d descriptors and %d bytes are counted, want %d and %d", c.files.held.Load(), c.memory.taken.Load(), files, memory)
	}
	if b := pooledOf(10); b.number == kept.number || b.number == last.number {
		t.Errorf("two buffers have number %d", b.number)
	}
	c.memory.give(weight)
}

// The consumer has an evicted buffer mapped until it hears of the next with its number.
func TestTheMemoryOfAnEvictedBufferIsFreeAtOnce(t *testing.T) {
	c := stepped(t, Options{Recycle: true}).courier
	b, err := c.pool.get(10, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(b.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c.pool.put(b)
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil || before.Blocks == 0 {
		t.Fatalf("%d blocks, %v", before.Blocks, err)
	}
	if !c.pool.evict() {
		t.Fatal("it is in use")
	}
	if err := unix.Fstat(fd, &after); err != nil || after.Blocks != 0 || after.Size != before.Size {
		t.Errorf("%d blocks, %d bytes of %d, %v", after.Blocks, after.Size, before.Size, err)
	}
}

// The user of a Sender that was closed elsewhere may still write to its reservation.
func TestABufferThatIsLentIsNotUsedAgain(t *testing.T) {
	c := stepped(t, Options{Recycle: true}).courier
	b, err := c.pool.get(10, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.lent = true
	mem := b.mem
	defer mem.Unmap()
	c.pool.put(b)
	other, err := c.pool.get(10, 0)
	if err != nil || other == b {
		t.Fatalf("the same buffer comes again, %v", err)
	}
	mem[0], other.mem[0] = 'a', 'b'
	if mem[0] != 'a' || other.mem[0] != 'b' {
		t.Error("the two share memory")
	}
}
