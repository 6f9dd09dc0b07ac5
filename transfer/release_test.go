package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sluice/internal/testenv"
	"strings"
	"testing"
	"time"
)

// taken sends n messages and takes them all.
func taken(t *testing.T, s *Sender, r *Receiver, from, n int) (got [][]byte) {
	t.Helper()
	buf := make([]byte, 200)
	for i := range n {
		if err := s.Send(t.Context(), numbered(buf, uint64(from+i))); err != nil {
			t.Fatal(err)
		}
	}
	s.Flush()
	for range n {
		msg, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, msg)
	}
	return got
}

// intact expects that messages are still what was sent.
func intact(t *testing.T, msgs [][]byte, from int) {
	t.Helper()
	buf := make([]byte, 200)
	for i, msg := range msgs {
		if !bytes.Equal(msg, numbered(buf, uint64(from+i))) {
			t.Fatalf("message %d has changed", from+i)
		}
	}
}

// Whatever is released and taken in between, as much is released as was asked for, the
// others stay as they are, and the next Receiver begins at the oldest of them.
func TestReceiver_ReleaseN_ReleasesTheOldest(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Buffer /= 8 // a few messages a buffer
		s, r := pair(t, opt)
		h := s.Segment().Header()
		var held [][]byte
		next, payload := 0, uint64(0)
		for round := range 200 {
			held = append(held, taken(t, s, r, next, 1+round%7)...)
			next += 1 + round%7
			n := len(held) * (round % 5) / 4
			for _, msg := range held[:n] {
				payload += uint64(len(msg))
			}
			r.ReleaseN(n)
			held = held[n:]
			oldest := next - len(held)
			if r.Held() != len(held) || r.Released() != uint64(oldest) || h.Consumer.Count.Load() != uint64(oldest) || h.Consumer.Bytes.Load() != payload {
				t.Fatalf("round %d: %d held, %d released, %d counted, %d bytes; want %d, %d, %d, %d", round,
					r.Held(), r.Released(), h.Consumer.Count.Load(), h.Consumer.Bytes.Load(), len(held), oldest, oldest, payload)
			}
			if s.Unread() != uint64(len(held)) || r.Unread() != uint64(len(held)) {
				t.Fatalf("round %d: %d and %d unread, want %d", round, s.Unread(), r.Unread(), len(held))
			}
			intact(t, held, oldest)
		}
		for len(held) < 5 {
			held = append(held, taken(t, s, r, next, 3)...)
			next += 3
		}
		r.ReleaseN(len(held) - 4)
		if err := r.Close(); err != nil || r.Unread() != 4 || r.Held() != 4 {
			t.Errorf("%d unread, %v", r.Unread(), err)
		}
		r.ReleaseN(3) // closed: it only ends the slices
		if r.Held() != 1 {
			t.Errorf("%d held", r.Held())
		}
		if r.Release(); r.Held() != 0 {
			t.Errorf("%d held", r.Held())
		}
		r = open(t, s.segment.Name(), endOptions{Socket: s.loop.dialer.path})
		buf := make([]byte, 200)
		for i := next - 4; i < next; i++ {
			wantMessages(t, r, string(numbered(buf, uint64(i))))
		}
		r.Release()
		ended(t, s, r)
	})
}

// Buffers are given back one by one, so that a Sender with few goes on.
func TestReceiver_ReleaseN_GivesBuffersBack(t *testing.T) {
	for _, recycle := range []bool{false, true} {
		s, r := pair(t, endOptions{Recycle: recycle})
		h := s.Segment().Header()
		var held [][]byte
		for i := range 3000 {
			held = append(held, taken(t, s, r, i, 1)...)
			if i >= 5 {
				r.ReleaseN(1)
				held = held[1:]
				intact(t, held, i-4)
				if n := h.ConsumerStats.Buffers.Load(); n != uint64(i-4) {
					t.Fatalf("%d buffers are released, want %d", n, i-4)
				}
			}
		}
		if n := memfds(); n > 20 {
			t.Errorf("%d buffers are open for 5 messages", n)
		}
		r.Release()
		ended(t, s, r)
	}
}

// A mapping that was replaced goes when the last message in it is released, not when all are.
func TestReceiver_ReleaseN_UnmapsWhatWasReplaced(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	e := entry{size: 8, length: 8, messages: 1, number: 1, flags: flagDescriptor}
	var held [][]byte
	for i := range 900 {
		in.gives([]int{file(t, fmt.Sprintf("%08d", i), kept)}, e)
		msg, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if held = append(held, msg); len(held) > 3 {
			r.ReleaseN(1)
			held = held[1:]
		}
		if n := len(r.buffers.retired); n > 3 {
			t.Fatalf("%d mappings are kept for %d messages", n, len(held))
		}
		if want := fmt.Sprintf("%08d", max(0, i-2)); string(held[0]) != want {
			t.Fatalf("%q, want %q", held[0], want)
		}
	}
	r.Release()
	in.serves(r)
}

// What was lost between two held messages counts when the second is released.
func TestReceiver_ReleaseN_BeforeMessagesThatWereLost(t *testing.T) {
	for _, buffer := range []int{0, 32} { // of a message, of two
		s, r, name, opt := sentSome(t, endOptions{Buffer: buffer}, 5, 2)
		wantMessages(t, r, "0", "1")
		killsSender(t, s)
		s = create(t, name, opt)
		send(t, s, "5")
		s.Flush()
		wantMessages(t, r, "5")
		h := r.Segment().Header()
		r.ReleaseN(1)
		accounts(t, h, 1, 0)
		r.ReleaseN(1)
		accounts(t, h, 2, 0)
		r.ReleaseN(1)
		accounts(t, h, 3, 3)
	}
}

// After a lost connection, what is held comes again and is passed over.
func TestReceiver_ReleaseN_AfterALostConnection(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		held := taken(t, s, r, 0, 6)
		losesConnection(t, r)
		r.ReleaseN(2)
		held = append(held[2:], taken(t, s, r, 6, 3)...)
		intact(t, held, 2)
		r.ReleaseN(5)
		intact(t, held[5:], 7)
		if r.Released() != 7 || s.Unread() != 2 {
			t.Errorf("%d released, %d unread", r.Released(), s.Unread())
		}
		r.Release()
		ended(t, s, r)
	})
}

func TestReceiver_ReleaseN_OutOfRange(t *testing.T) {
	s, r := pair(t, endOptions{})
	taken(t, s, r, 0, 2)
	for _, n := range []int{-1, 3} {
		func() {
			defer func() {
				if !strings.Contains(fmt.Sprint(recover()), fmt.Sprintf("ReleaseN(%d) with 2", n)) {
					t.Errorf("ReleaseN(%d) with 2 held does not panic", n)
				}
			}()
			r.ReleaseN(n)
		}()
	}
}

func TestSender_Discard_SendsNothing(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		s.Discard() // with nothing open
		send(t, s, "a")
		for range 3 {
			room, err := s.Reserve(t.Context(), 1000)
			testenv.WantErr(t, err, nil)
			copy(room, "not this")
			s.Discard()
		}
		s.Flush()
		wantMessages(t, r, "a")
		send(t, s, "b")
		s.Flush()
		wantMessages(t, r, "b")
		r.Release()
		if s.Published() != 2 {
			t.Errorf("%d published", s.Published())
		}
		ended(t, s, r)
		s.Discard() // closed
	})
}

// The memory of a reservation that a Close has left to the user goes with Discard.
func TestSender_Discard_AfterClose(t *testing.T) {
	name, opt := place(t)
	opt.Recycle, opt.Buffer = true, 4096
	s := create(t, name, opt)
	room, err := s.Reserve(t.Context(), 10)
	testenv.WantErr(t, err, nil)
	closeElsewhere(t, s)
	room[0] = 1
	s.Discard()
	stillMapped(t, 0)
}

func TestSender_Drain_WaitsUntilEverythingIsReleased(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		testenv.WantErr(t, s.Drain(t.Context()), nil) // nothing is there
		send(t, s, "a", "b")                          // and no Flush
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(context.Background()) }()
		wantMessages(t, r, "a", "b")
		select {
		case err := <-drained:
			t.Fatalf("%v, with two messages that are held", err)
		case <-time.After(5 * time.Millisecond): // longer would only see more
		}
		r.Release()
		testenv.WantErr(t, <-drained, nil)
		send(t, s, "c") // it has ended nothing
		s.Flush()
		wantMessages(t, r, "c")
		r.Release()
		ended(t, s, r)
	})
}

func TestSender_Drain_EndsWithItsContextAndWithClose(t *testing.T) {
	s, r := pair(t, endOptions{})
	send(t, s, "a")
	why := errors.New("because")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	testenv.WantErr(t, s.Drain(ctx), why)
	draining := testenv.Background(func() error { return s.Drain(context.Background()) })
	wantMessages(t, r, "a")
	closing := testenv.Background(func() error { return s.Close() })
	testenv.WantErr(t, draining(), ErrClosed)
	fails(t, r, io.EOF)
	r.Release()
	testenv.WantErr(t, closing(), nil)
	testenv.WantErr(t, s.Drain(t.Context()), ErrClosed)
}

// What keeps a Sender from sending for good ends Drain too.
func TestSender_Drain_EndsWithTheSendLoop(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	send(t, s, "a")
	draining := testenv.Background(func() error { return s.Drain(context.Background()) })
	why := errors.New("because")
	s.loop.err.Store(&why)
	testenv.WantErr(t, draining(), why)
	s.loop.err.Store(nil)
}

func TestSender_Unread_AfterCloseIsWhatWasLost(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	send(t, s, "a", "b")
	err := s.Close()
	var undelivered *UndeliveredError
	if !errors.Is(err, ErrUndelivered) || !errors.As(err, &undelivered) || undelivered.Lost != 2 || s.Unread() != 2 {
		t.Errorf("%v, %d unread", err, s.Unread())
	}
	testenv.WantErr(t, s.Close(), nil)
}
