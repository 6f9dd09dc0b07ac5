package transfer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestHeld_UnchangedUntilRelease(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		var want []string
		for i := range 300 {
			want = append(want, strings.Repeat(fmt.Sprint(i, " "), i))
		}
		send(t, s, want...)
		s.Flush()
		var held []string
		var messages [][]byte
		for range want {
			msg, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, msg)
		}
		// More is sent, and taken, and none of it may get the memory of those.
		for range want {
			send(t, s, strings.Repeat("x", 1000))
		}
		s.Flush()
		for range want {
			wantMessages(t, r, strings.Repeat("x", 1000))
		}
		for _, msg := range messages {
			held = append(held, string(msg))
		}
		if !slices.Equal(held, want) {
			t.Error("they have changed")
		}
		r.Release()
		ended(t, s, r)
	})
}

func TestRelease_FreesBuffers(t *testing.T) {
	s, r := pair(t, endOptions{})
	for i := range 50 {
		send(t, s, fmt.Sprint(i))
	}
	for i := range 50 {
		wantMessages(t, r, fmt.Sprint(i))
	}
	if n := memfds(); n != 50 { // the Sender's; the Receiver needs none
		t.Errorf("%d of 50 buffers are open before they are released", n)
	}
	r.Release()
	testenv.Eventually(t, "an end of the buffers", func() bool { return memfds() == 0 })
	if n := s.Unread(); n != 0 {
		t.Errorf("%d messages are queued", n)
	}
}

func TestRecycled_Reused(t *testing.T) {
	s, r := pair(t, endOptions{Recycle: true})
	for i := range 1000 {
		msg := fmt.Sprint("number ", i)
		send(t, s, msg)
		wantMessages(t, r, msg)
		if len(r.buffers.retired) > 0 {
			t.Fatal("it is mapped a second time")
		}
		r.Release()
	}
	// One in use, one that the send loop does not know to be back, and some for luck.
	if n := memfds(); n > 10 {
		t.Errorf("it took %d buffers for one message at a time", n)
	}
	ended(t, s, r)
	if n := memfds(); n != 0 {
		t.Errorf("%d buffers are open", n)
	}
}

// Large ones make room for small ones and these for large ones, when there may be no
// more.
func TestRecycled_OtherSizes_Evicted(t *testing.T) {
	name, at := place(t)
	restore := few(t, 30)
	s := create(t, name, endOptions{Socket: at.Socket, Recycle: true})
	restore()
	r := open(t, name, at)
	for round := range 6 {
		size := 1 << (10 + 2*round%8)
		for i := range 40 {
			send(t, s, strings.Repeat(string(rune('a'+i%26)), size))
		}
		for i := range 40 {
			wantMessages(t, r, strings.Repeat(string(rune('a'+i%26)), size))
			r.Release()
		}
	}
	ended(t, s, r)
}

// A Sender that gives a buffer up gives its number to the next.
func TestRecycled_NumberGivenAgain_HeldMessagesUnchanged(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	told := entry{size: 8, length: 8, messages: 1, number: 1, flags: flagDescriptor}
	var held [][]byte
	for i := range 10 {
		in.gives([]int{file(t, fmt.Sprint("number ", i), kept)}, told)
		msg, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, msg)
	}
	for i, msg := range held {
		if want := fmt.Sprint("number ", i); string(msg) != want {
			t.Errorf("%q, want %q", msg, want)
		}
	}
	r.Release()
	stillMapped(t, 1) // the last alone
	in.serves(r)
}

func TestReceiver_Next_GetsUnreleased(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		send(t, s, "a", "b", "c", "d", "e", "f")
		s.Flush()
		for _, turn := range []struct {
			released, held []string
		}{
			{nil, []string{"a"}},
			{[]string{"a", "b"}, []string{"c", "d"}},
			{nil, nil},
			{[]string{"c"}, []string{"d", "e", "f"}},
			{nil, []string{"d", "e", "f"}},
		} {
			r := open(t, name, opt)
			wantMessages(t, r, turn.released...)
			r.Release()
			wantMessages(t, r, turn.held...)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r := open(t, name, opt)
		wantMessages(t, r, "d")
		send(t, s, "g")
		s.Flush()
		wantMessages(t, r, "e", "f", "g")
		r.Release()
		ended(t, s, r)
	})
}

func TestReceiver_Next_ReleasedNotAgain(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		for i := range 60 {
			send(t, s, fmt.Sprint(i))
		}
		s.Flush()
		for i := range 60 { // a Receiver for each: the socket is full of what comes after
			r := open(t, name, opt)
			wantMessages(t, r, fmt.Sprint(i))
			r.Release()
			if i < 59 {
				r.Close()
				continue
			}
			ended(t, s, r)
		}
	})
}

// The counts are the consumer's, in a page that it may write to.
func TestSender_LyingConsumer_UnsentNotFreed(t *testing.T) {
	for name, scribble := range map[string]func(h *layout.Header){
		"more buffers than were sent": func(h *layout.Header) { h.ConsumerStats.Buffers.Store(1 << 40) },
		"as many as can be":           func(h *layout.Header) { h.ConsumerStats.Buffers.Store(^uint64(0)) },
		"more memory":                 func(h *layout.Header) { h.Consumer.Index.Store(1 << 40) },
		"more messages":               func(h *layout.Header) { h.Consumer.Count.Store(1 << 40) },
	} {
		t.Run(name, func(t *testing.T) {
			name, opt := place(t)
			s := create(t, name, opt)
			send(t, s, "a", "b")
			scribble(s.Segment().Header())
			send(t, s, "c")
			testenv.Eventually(t, "a look for the consumer", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseNoConsumer) })
			if n := memfds(); n != 3 {
				t.Errorf("%d buffers of 3 are left", n)
			}
			if n := s.Unread(); n > 3 {
				t.Errorf("%d messages are queued", n)
			}
		})
	}
}
