package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// inEveryForm runs a test with each way to hand a buffer over.
func inEveryForm(t *testing.T, fn func(t *testing.T, opt endOptions)) {
	for _, form := range []struct {
		name string
		opt  endOptions
	}{
		{"sealed", endOptions{}},
		{"recycled", endOptions{Recycle: true}},
		{"packed", endOptions{Buffer: 4096}},
		{"packed and recycled", endOptions{Buffer: 4096, Recycle: true}},
	} {
		t.Run(form.name, func(t *testing.T) { fn(t, form.opt) })
	}
}

// ended expects that nothing is lost and the books agree when the Sender is done.
// The Receiver has released everything.
func ended(t *testing.T, s *Sender, r *Receiver) {
	t.Helper()
	if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
		t.Errorf("%d lost, %v", lost, err)
	}
	fails(t, r, io.EOF)
	h := r.Segment().Header()
	sent, taken := &h.Producer, &h.Consumer
	if sent.Count.Load() != taken.Count.Load() || sent.Index.Load() != taken.Index.Load() || sent.Bytes.Load() != taken.Bytes.Load() {
		t.Errorf("%d messages, %d bytes in %d of memory sent; %d, %d and %d taken", sent.Count.Load(), sent.Bytes.Load(), sent.Index.Load(),
			taken.Count.Load(), taken.Bytes.Load(), taken.Index.Load())
	}
	if h.ProducerStats.Buffers.Load() != h.ConsumerStats.Buffers.Load() || h.ConsumerStats.Lost.Load() != 0 {
		t.Errorf("%d buffers sent, %d released; %d lost", h.ProducerStats.Buffers.Load(), h.ConsumerStats.Buffers.Load(), h.ConsumerStats.Lost.Load())
	}
}

// content is message number i: of many sizes, none and many pages among them.
func content(buf []byte, i int) []byte {
	buf = buf[:i*i*31%10_000]
	for at := range buf {
		buf[at] = byte(i + at>>4)
	}
	return buf
}

func TestPair_InOrderAndIntact(t *testing.T) {
	for _, batch := range []int{1, 0, MaxBatch} {
		inEveryForm(t, func(t *testing.T, opt endOptions) {
			opt.Batch = batch
			s, r := pair(t, opt)
			const many = 600
			buf := make([]byte, 10_000)
			for i := range many {
				if err := s.Send(t.Context(), content(buf, i)); err != nil {
					t.Fatal(err)
				}
			}
			s.Flush()
			for i := range many {
				got, err := r.Next(t.Context())
				if want := content(buf, i); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("message %d has %d bytes, want %d; %v", i, len(got), len(want), err)
				}
				if i%7 == 0 {
					r.Release()
				}
			}
			r.Release()
			ended(t, s, r)
		})
	}
}

func TestPair_EmptyMessage(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "", "", "a", "")
		s.Flush()
		wantMessages(t, r, "", "", "a", "")
		r.Release()
		ended(t, s, r)
	})
}

func TestPacking_LargerMessage_OwnBuffer(t *testing.T) {
	for _, recycle := range []bool{false, true} {
		s, r := pair(t, endOptions{Buffer: 64, Recycle: recycle})
		large := string(bytes.Repeat([]byte("large"), 10_000))
		send(t, s, "small", large, "small")
		s.Flush()
		wantMessages(t, r, "small", large, "small")
		r.Release()
		ended(t, s, r)
	}
}

func TestSender_Uncommitted_NotSent(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		reserve := func(n int) []byte {
			room, err := s.Reserve(t.Context(), n)
			if err != nil || len(room) != n || cap(room) != n {
				t.Fatalf("room of %d bytes up to %d, want %d; %v", len(room), cap(room), n, err)
			}
			return room
		}
		copy(reserve(9), "forgotten")
		copy(reserve(5), "first")
		s.Commit(5)
		s.Publish()
		copy(reserve(10_000), "forgotten") // larger than the room that was there
		copy(reserve(20), "second, and not this")
		s.Commit(6)
		reserve(1)
		s.Publish()
		s.reserved = -1
		s.Flush()
		wantMessages(t, r, "first", "second")
		r.Release()
		reserve(100)
		ended(t, s, r)
	})
}

// The slice is of no use after Commit: what is written to it reaches nobody.
func TestSender_Published_Unchangeable(t *testing.T) {
	s, r := pair(t, endOptions{})
	room, err := s.Reserve(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	s.Commit(copy(room, "first"))
	s.Publish()
	copy(room, "wrong")
	wantMessages(t, r, "first")
}

// With packing a buffer goes when it is full; until then it is not published.
func TestPacking_Flush_SendsPartialBuffer(t *testing.T) {
	s, r := pair(t, endOptions{Buffer: 4096})
	send(t, s, "a", "b")
	if s.Unread() != 2 || s.next.buffers != 0 {
		t.Errorf("%d messages are queued, in %d buffers", s.Unread(), s.next.buffers)
	}
	if _, err := s.Reserve(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if s.Flush(); s.next.buffers != 0 {
		t.Error("it was sent while there was a reservation in it")
	}
	s.Commit(1)
	if s.Flush(); s.next.buffers != 1 {
		t.Error("it was not sent")
	}
	if s.Flush(); s.next.buffers != 1 {
		t.Error("nothing was sent as something")
	}
	wantMessages(t, r, "a", "b", "\x00")
}

func TestReceiver_Receive_CopiesAndReleases(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "one", "two")
		s.Flush()
		one, err := r.Receive(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if count := r.cursor.Count.Load(); count != 1 {
			t.Errorf("%d messages are released", count)
		}
		two, err := r.Receive(t.Context(), make([]byte, 1))
		if err != nil || string(one) != "one" || string(two) != "two" {
			t.Errorf("%q, %q, %v", one, two, err)
		}
		ended(t, s, r)
	})
}

func TestReceiver_Next_EndsWithContext(t *testing.T) {
	s, r := pair(t, endOptions{})
	_, err := r.Next(testenv.Canceled())
	testenv.WantErr(t, err, context.Canceled)
	why := errors.New("because")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = r.Next(ctx)
	testenv.WantErr(t, err, why)
	_, err = r.Receive(ctx, nil)
	testenv.WantErr(t, err, why)
	testenv.WantErr(t, s.Send(ctx, []byte("x")), why)
	send(t, s, "there all the same")
	wantMessages(t, r, "there all the same")
}

func TestReceiver_Buffered_NextReturnsAtOnce(t *testing.T) {
	s, r := pair(t, endOptions{Buffer: 64})
	send(t, s, "a", "b")
	s.Flush()
	if r.Buffered() {
		t.Error("before anything was received")
	}
	wantMessages(t, r, "a")
	if !r.Buffered() {
		t.Error("not with a message left")
	}
	wantMessages(t, r, "b")
	if r.Buffered() {
		t.Error("after the last")
	}
}

func TestReceiver_Framing(t *testing.T) {
	s, r := pair(t, endOptions{Framing: layout.FramingLength})
	if r.Framing() != layout.FramingLength {
		t.Error(r.Framing())
	}
	s.own.Framing.Store(99)
	if r.Framing() != layout.FramingNone {
		t.Error(r.Framing())
	}
	if err := r.Close(); err != nil || r.Framing() != layout.FramingNone {
		t.Error(r.Framing(), err)
	}
}

func TestPair_AfterClose_ErrClosed(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		send(t, s, "taken")
		s.Flush()
		wantMessages(t, r, "taken")
		r.Release()
		ended(t, s, r)
		_, err := s.Reserve(t.Context(), 1)
		testenv.WantErr(t, err, ErrClosed)
		testenv.WantErr(t, err, os.ErrClosed)
		testenv.WantErr(t, s.Send(t.Context(), nil), ErrClosed)
		if lost, err := finish(t.Context(), s); lost != 0 || err != nil {
			t.Errorf("the second Close: %d lost, %v", lost, err)
		}
		_, err = r.Next(t.Context())
		testenv.WantErr(t, err, io.EOF)
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			r.Release()
			_, err = r.Next(t.Context())
			testenv.WantErr(t, err, ErrClosed)
		}
	})
}

func TestSender_Misuse_Panics(t *testing.T) {
	s, _ := pair(t, endOptions{})
	panics := func(what string, fn func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s does not panic", what)
			}
		}()
		fn()
	}
	panics("Commit without Reserve", func() { s.Commit(0) })
	panics("Reserve of less than nothing", func() { s.Reserve(t.Context(), -1) })
	for _, n := range []int{-1, 6} {
		if _, err := s.Reserve(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		panics(fmt.Sprintf("Commit(%d) of 5", n), func() { s.Commit(n) })
	}
	s.Commit(5)
	panics("a second Commit", func() { s.Commit(0) })
}
