package transfer

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/testenv"
	"sluice/layout"
)

// What is lost with a producer that was killed is known as soon as nothing of it can come
// any more, and counted then.

// killsSender leaves a Sender as SIGKILL does. Its send loop must not run.
func killsSender(t *testing.T, s *Sender) {
	t.Helper()
	s.loop.disconnect()
	if _, err := s.queue.close(); err != nil {
		t.Error(err)
	}
	s.pageGone, s.isShutDown = true, true
	if _, err := s.segment.Leave(never); err != nil {
		t.Error(err)
	}
}

// killedAfter is a Receiver whose producer was killed when it had made some messages, and
// sent some of those.
func killedAfter(t *testing.T, opt endOptions, made, sent int) (*Receiver, string, endOptions) {
	t.Helper()
	s, r, name, opt := sentSome(t, opt, made, sent)
	killsSender(t, s)
	return r, name, opt
}

// sentSome is a pair whose Sender has no send loop to send the rest.
func sentSome(t *testing.T, opt endOptions, made, sent int) (*Sender, *Receiver, string, endOptions) {
	t.Helper()
	name, at := place(t)
	opt.Socket, opt.Batch = at.Socket, 1
	s, err := newSender(t.Context(), name, opt.sender())
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, name, opt)
	for i := range made {
		send(t, s, fmt.Sprint(i))
	}
	s.Flush()
	for s.loop.sent.messages < uint64(sent) {
		if _, err := s.loop.step(); err != nil {
			t.Fatal(err)
		}
	}
	return s, r, name, opt
}

// accounts expects what was consumed and what was lost.
func accounts(t *testing.T, h *layout.Header, consumed, lost uint64) {
	t.Helper()
	c := &h.ConsumerStats
	if c.Consumed.Load() != consumed || c.Lost.Load() != lost || h.Consumer.Count.Load() != consumed+lost {
		t.Fatalf("%d consumed and %d lost at %d, want %d and %d", c.Consumed.Load(), c.Lost.Load(), h.Consumer.Count.Load(), consumed, lost)
	}
}

func TestLoss_ProducerDied_CountedWhenRestReleased(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Buffer = 0
		r, name, opt := killedAfter(t, opt, 5, 3)
		h := r.Segment().Header()
		wantMessages(t, r, "0", "1", "2")
		for range 50 { // they are held
			_, err := r.TryNext()
			testenv.WantErr(t, err, ErrEmpty)
		}
		accounts(t, h, 0, 0)
		r.Release()
		testenv.Eventually(t, "a count", func() bool {
			_, err := r.TryNext()
			testenv.WantErr(t, err, ErrEmpty)
			return h.ConsumerStats.Lost.Load() > 0
		})
		accounts(t, h, 3, 2)
		if h.Consumer.Index.Load() != h.Producer.Index.Load() {
			t.Errorf("memory up to %d of %d", h.Consumer.Index.Load(), h.Producer.Index.Load())
		}
		// The next one's numbers begin after them, and none is counted twice.
		s := create(t, name, opt)
		send(t, s, "next")
		wantMessages(t, r, "next")
		r.Release()
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
		fails(t, r, ErrIncomplete)
		accounts(t, h, 4, 2)
	})
}

// A Receiver that waits finds out as well, and one that has nothing to take.
func TestLoss_ReceiverWaits_Counted(t *testing.T) {
	r, name, opt := killedAfter(t, endOptions{}, 2, 0)
	h := r.Segment().Header()
	next := make(chan error)
	go func() {
		msg, err := r.Next(t.Context())
		if err == nil && string(msg) != "next" {
			err = fmt.Errorf("took %q", msg)
		}
		next <- err
	}()
	testenv.Eventually(t, "a count", func() bool { return h.ConsumerStats.Lost.Load() == 2 })
	send(t, create(t, name, opt), "next")
	testenv.WantErr(t, <-next, nil)
}

// A Receiver that ends says what it knows was lost. What goes with a producer that is killed
// a moment later is not counted behind its back, and stays for the next one to count.
func TestLoss_AfterWriteOff_NextReceiverCounts(t *testing.T) {
	s, r, name, opt := sentSome(t, endOptions{}, 3, 1)
	wantMessages(t, r, "0")
	r.Release()
	if lost := r.WriteOff(); lost != 0 {
		t.Errorf("%d lost with a producer that lives", lost)
	}
	killsSender(t, s)
	closes(t, r)
	r = open(t, name, opt)
	accounts(t, r.Segment().Header(), 1, 0)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		testenv.Eventually(t, "a count", func() bool { return r.Segment().Header().ConsumerStats.Lost.Load() == 2 })
	}()
	_, err := r.Next(ctx)
	testenv.WantErr(t, err, context.Canceled)
	accounts(t, r.Segment().Header(), 1, 2)
}

// Neither does a producer in between take the page away, when no Receiver comes to it.
// What was lost before a message that is held is counted once, with the message, when that is lost
// too.
func TestLoss_BeforeHeldMessage_CountedOnce(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Buffer = 0
		r, name, opt := killedAfter(t, opt, 5, 2)
		wantMessages(t, r, "0", "1")
		s, err := newSender(t.Context(), name, opt.sender())
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, "5", "6", "7")
		for s.loop.sent.messages < 6 {
			if _, err := s.loop.step(); err != nil {
				t.Fatal(err)
			}
		}
		wantMessages(t, r, "5")
		r.ReleaseN(2)
		killsSender(t, s)
		if lost := r.WriteOff(); lost != 6 { // 2, 3, 4, and 5 that is held, 6 and 7
			t.Errorf("%d are lost", lost)
		}
		r.Release()
		accounts(t, r.segment.Header(), 2, 6)
	})
}

func TestLoss_Uncounted_SurvivesNextProducer(t *testing.T) {
	s, r, name, opt := sentSome(t, endOptions{}, 3, 0)
	r.WriteOff()
	killsSender(t, s)
	closes(t, r)
	if err := create(t, name, opt).Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, name, opt)
	testenv.Eventually(t, "a count", func() bool {
		_, err := r.TryNext()
		return err != nil && r.Segment().Header().ConsumerStats.Lost.Load() == 3
	})
}

// What is in the socket is framed as its own producer has cut it, whatever the next one does.
func TestLoss_SentByDeadProducer_FramingKept(t *testing.T) {
	s, r, name, opt := sentSome(t, endOptions{Framing: layout.FramingLength}, 2, 2)
	wantMessages(t, r, "0")
	killsSender(t, s)
	opt.Framing = layout.FramingRaw
	send(t, create(t, name, opt), "raw")
	for _, want := range []struct {
		message string
		framing layout.Framing
	}{{"1", layout.FramingLength}, {"raw", layout.FramingRaw}} {
		wantMessages(t, r, want.message)
		if f := r.Framing(); f != want.framing {
			t.Errorf("%q has %v framing, want %v", want.message, f, want.framing)
		}
	}
}

// What is in the socket is not lost, however long it stays there.
func TestLoss_SentByDeadProducer_NotCounted(t *testing.T) {
	r, _, _ := killedAfter(t, endOptions{}, 3, 2)
	for range 1000 { // whether the connection was accepted or not
		r.writeOffDead()
	}
	accounts(t, r.Segment().Header(), 0, 0)
	wantMessages(t, r, "0", "1")
	r.Release()
	accounts(t, r.Segment().Header(), 2, 0)
}

// The connection may be anywhere when the producer dies: with the kernel, in the hands of
// who accepts it, silent, or taken.
func TestLoss_SentAnywhere_NotCounted(t *testing.T) {
	for range 200 {
		name, opt := place(t)
		opt.Batch = 1
		s, err := newSender(t.Context(), name, opt.sender())
		if err != nil {
			t.Fatal(err)
		}
		r := open(t, name, opt)
		h := r.Segment().Header()
		done := make(chan uint64)
		go func() {
			var taken uint64
			for deadline := time.Now().Add(testenv.Timeout); h.ConsumerStats.Lost.Load() == 0 && time.Now().Before(deadline); {
				if _, err := r.TryNext(); err == nil {
					taken++
					r.Release()
				}
			}
			done <- taken
		}()
		send(t, s, "0", "1", "2")
		s.Flush()
		for s.loop.sent.messages < 2 {
			if _, err := s.loop.step(); err != nil {
				t.Fatal(err)
			}
		}
		killsSender(t, s)
		if taken := <-done; taken != 2 {
			t.Fatalf("%d taken of 2 that were sent", taken)
		}
		accounts(t, h, 2, 1)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What a Receiver has counted as lost and told nobody of makes the next end incomplete, and that
// one only.
func TestLoss_CountedByLastReceiver_NextToldIfThatWasKilled(t *testing.T) {
	for how, c := range map[string]struct {
		follow bool
		leave  func(*testing.T, *Receiver)
		want   error
	}{
		"killed":           {false, kills, ErrIncomplete},
		"closed":           {false, closes, io.EOF},
		"told, and killed": {true, kills, io.EOF},
	} {
		t.Run(how, func(t *testing.T) {
			r, name, opt := killedAfter(t, endOptions{Follow: c.follow}, 2, 0)
			opt.Follow = false
			h := r.Segment().Header()
			testenv.Eventually(t, "a count", func() bool {
				_, err := r.TryNext()
				testenv.WantErr(t, err, ErrEmpty)
				return h.ConsumerStats.Lost.Load() == 2
			})
			if c.follow {
				if _, err := finish(t.Context(), create(t, name, opt)); err != nil {
					t.Fatal(err)
				}
				testenv.Eventually(t, "a record of the end", func() bool {
					_, err := r.TryNext()
					testenv.WantErr(t, err, ErrEmpty)
					return h.ConsumerStats.EndSeen.Load() == 2
				})
			}
			s := create(t, name, opt) // it holds the page when the Receiver leaves
			c.leave(t, r)
			for _, want := range []error{c.want, io.EOF} {
				r = open(t, name, opt)
				send(t, s, "a")
				wantMessages(t, r, "a")
				r.Release()
				if _, err := finish(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				fails(t, r, want)
				s = create(t, name, opt)
				closes(t, r)
			}
		})
	}
}

// The mode of the next producer is another one: the page with the count goes.
func TestLoss_CountedByKilledReceiver_CarriedOver(t *testing.T) {
	r, _, _ := killedAfter(t, endOptions{}, 2, 0)
	h := r.Segment().Header()
	if n := endpoint.CarryOver(h, layout.ModeTransfer); n != 1 {
		t.Errorf("%d incomplete before anybody has counted", n)
	}
	testenv.Eventually(t, "a count", func() bool {
		_, err := r.TryNext()
		testenv.WantErr(t, err, ErrEmpty)
		return h.ConsumerStats.Lost.Load() == 2
	})
	if n := endpoint.CarryOver(h, layout.ModeTransfer); n != 1 {
		t.Errorf("%d incomplete when nobody has reported", n)
	}
	h.ConsumerStats.LostSeen.Store(2)
	if n := endpoint.CarryOver(h, layout.ModeTransfer); n != 0 {
		t.Errorf("%d incomplete when all is reported", n)
	}
}
