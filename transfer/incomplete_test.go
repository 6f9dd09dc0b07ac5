package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestEnd_CompleteOrIncomplete(t *testing.T) {
	for _, c := range []struct {
		name string
		end  layout.End
		sent []string
		want error
	}{
		{"complete", layout.EndComplete, []string{"a"}, io.EOF},
		{"stopped", layout.EndStopped, []string{"a"}, ErrIncomplete},
		{"failed", layout.EndFailed, []string{"a"}, ErrIncomplete},
		{"failed before the first message", layout.EndFailed, nil, ErrIncomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, opt := place(t)
			s := create(t, name, opt)
			s.EndAs(c.end)
			for _, msg := range c.sent {
				send(t, s, msg)
			}
			r := open(t, name, opt)
			closed := make(chan error)
			go func() {
				_, err := finish(t.Context(), s)
				closed <- err
			}()
			wantMessages(t, r, c.sent...)
			r.Release()
			for range 2 { // it stays so
				fails(t, r, c.want)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEnd_Failed_LaterReceiverTold(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	s.EndAs(layout.EndFailed)
	s.KeepEnd()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := open(t, name, opt)
	fails(t, r, ErrIncomplete)
	r.Close()
}

// Its last Receiver has left, or was killed, before the producer gave up what it had queued:
// the next one does not wait for a stream to begin.
func TestEnd_Loss_LaterReceiverTold(t *testing.T) {
	for how, leave := range map[string]func(*Receiver){
		"left":   func(r *Receiver) { closes(t, r) },
		"killed": func(r *Receiver) { kills(t, r) },
	} {
		t.Run(how, func(t *testing.T) {
			name, opt := place(t)
			s, r := create(t, name, opt), open(t, name, opt)
			s.KeepEnd()
			send(t, s, "a")
			wantMessages(t, r, "a")
			r.Release()
			leave(r)
			send(t, s, "lost")
			if lost, err := lostIn(s.Close()); lost != 1 || !errors.Is(err, ErrUndelivered) {
				t.Fatalf("%d lost, %v", lost, err)
			}
			r = open(t, name, opt)
			fails(t, r, ErrIncomplete)
			closes(t, r)
			if _, err := os.Lstat(shm.Path(name)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the page is left when somebody was told: %v", err)
			}
		})
	}
}

// What nobody has come for is not there for a later producer's Receiver, but for the word
// that it is missing.
func TestCreate_SegmentOnlyTellsEnd_Replaced(t *testing.T) {
	for _, c := range []struct {
		sent []string
		end  error
		want error
	}{
		{[]string{"lost"}, ErrUndelivered, ErrIncomplete},
		{nil, nil, io.EOF},
	} {
		name, opt := place(t)
		s := create(t, name, opt)
		s.KeepEnd()
		send(t, s, c.sent...)
		if err := s.Close(); !errors.Is(err, c.end) {
			t.Fatal(err)
		}
		next := create(t, name, opt)
		send(t, next, "a")
		r := open(t, name, opt)
		closed := make(chan error)
		go func() {
			_, err := finish(t.Context(), next)
			closed <- err
		}()
		wantMessages(t, r, "a")
		if lost := r.own.Lost.Load(); lost > 0 {
			t.Errorf("%d lost, in a page of another producer", lost)
		}
		r.Release()
		fails(t, r, c.want)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		closes(t, r)
		if _, err := os.Lstat(shm.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the page is left when somebody was told: %v", err)
		}
	}
}

// The second producer has nothing to send, and leaves the page that says what the first has lost.
func TestEnd_LossBeforeAbandonedSegment_ToldWithNext(t *testing.T) {
	name, opt := place(t)
	s, err := newSender(t.Context(), name, opt.sender()) // without a send loop
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, "lost")
	killsSender(t, s)
	if err := create(t, name, opt).Close(); err != nil {
		t.Fatal(err)
	}
	s = create(t, name, opt)
	send(t, s, "a")
	r := open(t, name, opt)
	closed := make(chan error)
	go func() {
		_, err := finish(t.Context(), s)
		closed <- err
	}()
	wantMessages(t, r, "a")
	r.Release()
	fails(t, r, ErrIncomplete)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	closes(t, r)
}

// Whoever comes after half of a stream is told at the end of what goes on with it, whenever it
// comes.
func TestEnd_UntoldIncomplete_NextIncomplete(t *testing.T) {
	for _, first := range []bool{false, true} {
		name, opt := place(t)
		s, r := create(t, name, opt), open(t, name, opt)
		send(t, s, "a")
		wantMessages(t, r, "a")
		r.Release()
		closes(t, r)
		s.EndAs(layout.EndStopped)
		s.KeepEnd()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = create(t, name, opt)
		if first {
			send(t, s, "b")
		}
		r = open(t, name, opt)
		if !first {
			send(t, s, "b")
		}
		closed := make(chan error)
		go func() {
			_, err := finish(t.Context(), s)
			closed <- err
		}()
		wantMessages(t, r, "b")
		r.Release()
		fails(t, r, ErrIncomplete)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		closes(t, r)
		if _, err := os.Lstat(shm.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the page is left when somebody was told: %v", err)
		}
	}
}

func TestEnd_Losses_Incomplete(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	in.gives([]int{file(t, "from him", sealed)}, one)
	wantMessages(t, r, "from him")
	r.Release()
	in.hangUp()
	in.at.messages += 5 // went with a producer that died
	in.greet()
	in.put(packet(in.head(kindEnd)))
	_, err := r.Next(t.Context())
	testenv.WantErr(t, err, ErrIncomplete)
	if errors.Is(err, io.EOF) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// A Receiver may leave before it has asked how the stream ended. Then somebody else has to be
// told, unless it was complete.
func TestEnd_NotAskedFor_ToldToNextReceiver(t *testing.T) {
	for _, end := range []layout.End{layout.EndComplete, layout.EndStopped, layout.EndFailed} {
		for _, asks := range []bool{false, true} {
			name, opt := place(t)
			s, r := create(t, name, opt), open(t, name, opt)
			send(t, s, "a")
			wantMessages(t, r, "a")
			r.Release()
			s.EndAs(end)
			if _, err := finish(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if asks {
				fails(t, r, map[bool]error{true: io.EOF, false: ErrIncomplete}[end == layout.EndComplete])
			}
			closes(t, r)
			_, err := os.Lstat(shm.Path(name))
			if pending := end != layout.EndComplete && !asks; (err == nil) != pending {
				t.Errorf("%v, asked: %v: the page is there: %v", end, asks, err == nil)
			} else if pending {
				r := open(t, name, opt)
				fails(t, r, ErrIncomplete)
				closes(t, r)
				if _, err := os.Lstat(shm.Path(name)); err == nil {
					t.Errorf("%v: it is left when somebody was told", end)
				}
			}
		}
	}
}

// The next producer has published already when the Receiver leaves that was told of the end before.
func TestEnd_ToldIncomplete_ClosedAfterNextBegan_NotToldAgain(t *testing.T) {
	name, opt := place(t)
	s, r := create(t, name, opt), open(t, name, opt)
	send(t, s, "a")
	wantMessages(t, r, "a")
	r.Release()
	s.EndAs(layout.EndStopped)
	if _, err := finish(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	fails(t, r, ErrIncomplete)
	s = create(t, name, opt)
	send(t, s, "b")
	closes(t, r)
	r = open(t, name, opt)
	wantMessages(t, r, "b")
	r.Release()
	ended(t, s, r)
	closes(t, r)
}

// Whoever is killed while it tells of an end has not recorded that it did.
func TestFollow_EndRecordedAfterOnEnd(t *testing.T) {
	name, opt := place(t)
	s := create(t, name, opt)
	told := 0
	r, err := Open(t.Context(), name, ReceiverOptions{Socket: opt.Socket, Follow: true, OnEnd: func(error) {
		told++
		if seen := s.peer.EndSeen.Load(); seen != 0 {
			t.Errorf("recorded %d before it is told", seen)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	send(t, s, "a")
	wantMessages(t, r, "a")
	r.Release()
	if err := s.Shutdown(t.Context()); err != nil { // the page stays mapped
		t.Fatal(err)
	}
	for told == 0 {
		ctx, cancel := context.WithTimeout(t.Context(), pollInterval)
		_, err := r.Next(ctx)
		cancel()
		testenv.WantErr(t, err, context.DeadlineExceeded)
	}
	if seen := r.own.EndSeen.Load(); seen != 1 {
		t.Errorf("recorded %d", seen)
	}
}
