package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestShutdown_WaitsForReleases(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "a", "b", "c") // and no Flush: Shutdown does that
		var released atomic.Bool
		drained := make(chan error)
		go func() {
			lost, err := lostIn(s.Shutdown(testenv.Canceled())) // there is a consumer, so it waits all the same
			if lost != 0 || !released.Load() {
				err = errors.Join(err, errors.New("it came back before the release"))
			}
			drained <- err
		}()
		wantMessages(t, r, "a", "b", "c")
		fails(t, r, io.EOF) // the end does not wait for the release
		released.Store(true)
		r.Release()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		_, err := s.Reserve(t.Context(), 1)
		testenv.WantErr(t, err, ErrClosed)
		if lost, err := lostIn(s.Shutdown(t.Context())); lost != 0 || err != nil {
			t.Errorf("the second Shutdown: %d lost, %v", lost, err)
		}
		ended(t, s, r)
	})
}

func TestShutdown_WaitsForConsumer(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		send(t, s, "a", "b")
		drained := make(chan error)
		go func() {
			err := s.Shutdown(t.Context())
			drained <- err
		}()
		r := open(t, name, opt)
		wantMessages(t, r, "a", "b")
		r.Release()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		ended(t, s, r)
	})
}

func TestShutdown_NoConsumer_ContextEnds(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		send(t, s, "a", "b", "c")
		lost, err := lostIn(s.Shutdown(testenv.Canceled()))
		testenv.WantErr(t, err, ErrUndelivered)
		if lost != 3 {
			t.Errorf("%d lost, want 3", lost)
		}
		if n := memfds(); n != 0 {
			t.Errorf("%d buffers are open", n)
		}
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("Close: %d lost, %v", lost, err) // once is enough
		}
	})
}

// The context is done while it waits, and somebody had taken a part before.
func TestShutdown_CountsOnlyUntaken(t *testing.T) {
	s, r := pair(t, endOptions{})
	send(t, s, "a", "b", "c")
	wantMessages(t, r, "a")
	r.Release()
	wantMessages(t, r, "b")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan uint64)
	go func() {
		lost, err := lostIn(s.Shutdown(ctx))
		testenv.WantErr(t, err, ErrUndelivered)
		drained <- lost
	}()
	cancel()
	if lost := <-drained; lost != 2 {
		t.Errorf("%d lost, want 2", lost)
	}
}

func TestDrain_NothingToDeliver_ReturnsAtOnce(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	if _, err := shm.Open(t.Context(), name, 0); err == nil {
		t.Error("the segment is still there")
	}
}

func TestDeliverEnd_WaitsForConsumer(t *testing.T) {
	name, opt := place(t)
	opt.Keep = true
	s := create(t, name, opt)
	s.DeliverEnd()
	closed := make(chan error)
	go func() {
		_, err := finish(t.Context(), s)
		closed <- err
	}()
	select {
	case <-closed:
		t.Fatal("it did not wait")
	case <-time.After(2 * pollInterval): // shorter would only see less
	}
	r := open(t, name, opt)
	fails(t, r, io.EOF)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	seg, err := shm.Open(t.Context(), name, 0) // Keep
	if err != nil {
		t.Fatal(err)
	}
	seg.Leave(func() bool { return true })
}

// What it takes with it is counted by whoever waited for it.
func TestEnd_ProducerGaveUp_WaitingReceiverEnds(t *testing.T) {
	name, opt := place(t)
	s, r := apart(t, name, opt)
	send(t, s, "a", "b")
	lost, err := lostIn(s.Close())
	testenv.WantErr(t, err, ErrUndelivered)
	fails(t, r, ErrIncomplete)
	if seen := r.own.Lost.Load(); lost != 2 || seen != 2 {
		t.Errorf("%d lost, and %d by the Receiver", lost, seen)
	}
	if h := r.segment.Header(); h.Producer.Index.Load() != h.Consumer.Index.Load() {
		t.Errorf("what is lost still counts as in flight: %d bytes produced, %d released", h.Producer.Index.Load(), h.Consumer.Index.Load())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(shm.Path(name)); err == nil {
		t.Error("there is nothing left to deliver, and still a segment")
	}
}

func TestFollow_NextProducer(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket, opt.Follow = at.Socket, true
		s := create(t, name, opt)
		r := open(t, name, opt)
		for _, msg := range []string{"one", "two", "three"} {
			if s == nil {
				s = create(t, name, opt)
				t.Cleanup(func() { r.Close() }) // first, or a failed test waits for it in s.Close
			}
			send(t, s, msg, msg)
			s.Flush()
			wantMessages(t, r, msg, msg)
			r.Release()
			if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
				t.Errorf("%d lost, %v", lost, err)
			}
			s = nil
		}
		if sent, taken, lost := r.Segment().Header().Producer.Count.Load(), r.cursor.Count.Load(), r.own.Lost.Load(); sent != 6 || taken != 6 || lost != 0 {
			t.Errorf("%d messages sent, %d taken, %d lost", sent, taken, lost)
		}
		_, err := r.Next(testenv.Canceled())
		testenv.WantErr(t, err, context.Canceled)
	})
}

func TestFollow_ProducerGaveUp(t *testing.T) {
	name, opt := place(t)
	opt.Follow = true
	s, r := apart(t, name, opt)
	send(t, s, "a", "b")
	err := s.Close()
	testenv.WantErr(t, err, ErrUndelivered)
	took := make(chan string)
	go func() {
		msg, err := r.Next(t.Context())
		took <- fmt.Sprint(string(msg), err)
	}()
	testenv.Eventually(t, "a look for a producer", func() bool { return r.own.State.Load() == uint64(layout.StateAlone) })
	s = create(t, name, opt)
	t.Cleanup(func() { r.Close() }) // first, or a failed test waits for it in s.Close
	send(t, s, "c")
	if got := <-took; got != "c<nil>" {
		t.Fatalf("it took %s", got)
	}
	r.Release()
	if lost, err := finish(t.Context(), s); lost != 0 || err != nil || r.own.Lost.Load() != 2 {
		t.Errorf("%d lost, %v; %d were before", lost, err, r.own.Lost.Load())
	}
}

// The queue outlives whoever listens there and takes nothing.
func TestEnd_ConsumersHangUp_LosesNothing(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		send(t, s, "a", "b", "c")
		s.Flush()
		for calls := range 6 {
			l, err := net.ListenUnix(network, &net.UnixAddr{Name: opt.Socket, Net: network})
			if err != nil {
				t.Fatal(err)
			}
			conn, err := l.AcceptUnix()
			if err != nil {
				t.Fatal(err)
			}
			if calls%2 == 0 { // after the hello
				if _, err := conn.Read(make([]byte, headSize)); err != nil {
					t.Error(err)
				}
			}
			conn.Close()
			l.Close()
		}
		r := open(t, name, opt)
		wantMessages(t, r, "a", "b", "c")
		r.Release()
		ended(t, s, r)
	})
}

func TestFresh_DiscardsLeftovers(t *testing.T) {
	name, opt := place(t)
	opt.Keep = true
	s := create(t, name, opt)
	send(t, s, "old")
	if err := s.Close(); !errors.Is(err, ErrUndelivered) {
		t.Fatal(err)
	}
	opt.Fresh, opt.Keep = true, false
	s = create(t, name, opt)
	r := open(t, name, opt)
	send(t, s, "new")
	wantMessages(t, r, "new")
	r.Release()
	ended(t, s, r)
	if n := r.cursor.Count.Load(); n != 1 {
		t.Errorf("message %d is the first", n)
	}
}

// The producer may leave before its consumer has, and that be killed before it has
// noticed: its successor learns that the stream has ended, and is not left to wait for
// the next one.
func TestEnd_ConsumerKilled_SuccessorTold(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		for _, first := range []string{"the producer", "the consumer"} {
			name, at := place(t)
			opt.Socket = at.Socket
			s := create(t, name, opt)
			r := open(t, name, opt)
			send(t, s, "a", "b")
			s.Flush()
			wantMessages(t, r, "a", "b")
			r.Release()
			if first == "the consumer" {
				kills(t, r)
			}
			if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
				t.Fatalf("%d lost, %v", lost, err)
			}
			if first == "the producer" {
				kills(t, r)
			}
			for range 2 { // the successor may be killed as well
				r = open(t, name, opt)
				fails(t, r, io.EOF)
				kills(t, r)
			}
			r = open(t, name, opt)
			fails(t, r, io.EOF)
			if lost := r.own.Lost.Load(); lost != 0 {
				t.Errorf("%d lost", lost)
			}
			closes(t, r)
			if _, err := os.Stat(shm.Path(name)); err == nil {
				t.Error("everybody knows of the end, and still there is a segment")
			}
		}
	})
}

// Whoever comes after a consumer that left in good order waits for the next producer.
func TestEnd_Taken_NotTakenAgain(t *testing.T) {
	name, opt := place(t)
	opt.Keep = true
	s, r := create(t, name, opt), open(t, name, opt)
	send(t, s, "a")
	wantMessages(t, r, "a")
	r.Release()
	ended(t, s, r)
	closes(t, r)
	r = open(t, name, opt)
	ctx, cancel := context.WithTimeout(t.Context(), 3*pollInterval) // longer would only see more
	defer cancel()
	_, err := r.Next(ctx)
	testenv.WantErr(t, err, context.DeadlineExceeded)
	closes(t, r)
}

// The reason stands in the segment, and in the error.
func TestEnd_SenderGivesUp_Failed(t *testing.T) {
	for _, end := range []func(s *Sender) error{(*Sender).Close, (*Sender).Abort} {
		name, opt := place(t)
		opt.Keep = true
		s := create(t, name, opt)
		send(t, s, "a")
		lost, err := lostIn(end(s))
		testenv.WantErr(t, err, ErrUndelivered)
		if want := "1 that no consumer has released"; lost != 1 || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%d lost, %v; want %q", lost, err, want)
		}
		r := open(t, name, opt)
		if end := layout.End(r.peer.End.Load()); end != layout.EndFailed {
			t.Errorf("it has ended as %v", end)
		}
	}
}
