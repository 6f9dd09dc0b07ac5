package transfer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestSender_NoConsumer_Accepts(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		for i := range 3000 {
			send(t, s, fmt.Sprint(i))
		}
		s.Flush()
		if s.Unread() != 3000 || s.own.HighWater.Load() != 3000 {
			t.Errorf("%d messages are queued, at most %d", s.Unread(), s.own.HighWater.Load())
		}
		testenv.Eventually(t, "a reason", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseNoConsumer) })
		r := open(t, name, opt)
		for i := range 3000 {
			wantMessages(t, r, fmt.Sprint(i))
			r.Release()
		}
		ended(t, s, r)
	})
}

func TestSender_ConsumerDoesNotRead_DoesNotWait(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Batch = 1 // or all of it fits into the socket
		s, r := pair(t, opt)
		send(t, s, "first")
		s.Flush()
		wantMessages(t, r, "first") // it is connected
		for i := range 300 {
			send(t, s, fmt.Sprint(i))
			s.Flush()
		}
		testenv.Eventually(t, "a full socket", func() bool { return s.own.RefuseReason.Load() == uint64(layout.RefuseSocketFull) })
		if s.own.Refused.Load() == 0 {
			t.Error("it does not count as refused")
		}
		for i := range 300 {
			wantMessages(t, r, fmt.Sprint(i))
		}
		r.Release()
		ended(t, s, r)
	})
}

func TestLimit_MemoryInFlight(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Limit = 16 * pageSize
		s, r := pair(t, opt)
		half := strings.Repeat("x", 2500) // of a page, so that it gets one in every form
		var limit *LimitError
		fill := func() (n int) {
			for ; n < 100; n++ {
				if err := s.Send(t.Context(), []byte(half)); err != nil {
					if !errors.Is(err, ErrLimit) || !errors.As(err, &limit) {
						t.Fatal(err)
					}
					return n
				}
			}
			return n
		}
		if n := fill(); n != 16 {
			t.Fatalf("%d pages fit into 16", n)
		}
		if n := fill(); n != 0 {
			t.Errorf("%d more the second time", n)
		}
		if *limit != (LimitError{Limit: 16 * pageSize, Waiting: 16, Produced: 16, After: limit.After}) || limit.After <= 0 {
			t.Errorf("%+v", *limit)
		}
		if text := limit.Error(); !strings.Contains(text, "64 KiB in flight") || !strings.Contains(text, "16 messages") ||
			!strings.Contains(text, "the consumer received none") {
			t.Error(text)
		}
		if s.own.Limit.Load() != 16*pageSize {
			t.Errorf("limit %d", s.own.Limit.Load())
		}
		wantMessages(t, r, half, half, half, half)
		if o := layout.RefuseReason(s.own.RefuseReason.Load()); o != layout.RefuseMemoryLimit {
			t.Errorf("refused by the limit, and the reason given is %v: packets that go on hide it", o)
		}
		if n := fill(); n != 0 {
			t.Errorf("%d more because of messages that are held", n)
		}
		r.Release()
		if n := fill(); n != 4 {
			t.Errorf("%d more in place of 4", n)
		}
		if attempts, given := s.own.Refused.Load(), s.own.RefusedMessages.Load(); given != 4 || attempts < 4 {
			t.Errorf("%d attempts were refused and %d messages given up, want 4", attempts, given)
		}
		if limit.Waiting != 16 || limit.Produced != 20 || limit.Consumed != 4 || !strings.Contains(limit.Error(), "5.0 times less") {
			t.Errorf("%+v: %v", *limit, limit)
		}
		for range 16 {
			wantMessages(t, r, half)
		}
		r.Release()
		ended(t, s, r)
	})
}

// What is in flight is also what the pages of the header say, from which the time until the
// limit is forecast.
func TestLimit_RecycledBuffer_CountsWhole(t *testing.T) {
	for name, opt := range map[string]endOptions{
		"packed, and sent before they are full": {Recycle: true, Buffer: 16 * int(pageSize)},
		"of a size that is rounded up":          {Recycle: true},
	} {
		t.Run(name, func(t *testing.T) {
			opt.Limit = 4 * 18 * pageSize
			s, r := pair(t, opt)
			h, msg := r.Segment().Header(), "12345678"
			if opt.Buffer == 0 {
				msg = strings.Repeat("x", 16*int(pageSize)+1) // takes 18 pages
			}
			sent := 0
			for ; sent < 100; sent++ {
				if err := s.Send(t.Context(), []byte(msg)); errors.Is(err, ErrLimit) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				s.Flush()
			}
			if sent != 4 {
				t.Errorf("%d buffers fit, want 4", sent)
			}
			if said, taken := h.Producer.Index.Load()-h.Consumer.Index.Load(), s.queue.memory.bytes.taken.Load(); said != taken {
				t.Errorf("%d bytes are said to be in flight, %d are", said, taken)
			}
			for range sent {
				wantMessages(t, r, msg)
			}
			r.Release()
			ended(t, s, r)
		})
	}
}

func TestLimit_Error_ShortFigures(t *testing.T) {
	for _, c := range []struct {
		e    LimitError
		want string
	}{
		{LimitError{Limit: 1 << 20, Waiting: 256, Produced: 256, After: 36412345 * time.Nanosecond},
			"memory limit reached: 1 MiB in flight after 36.4ms, 256 messages of it unread; the producer sent 7,031 msg/s, the consumer received none"},
		{LimitError{Limit: 1 << 20, Waiting: 1, Produced: 5, Consumed: 4, After: 2 * time.Second},
			"memory limit reached: 1 MiB in flight after 2s, 1 message of it unread; the producer sent 3 msg/s, the consumer received 2 msg/s, 1.2 times less"},
		{LimitError{Limit: 1 << 30, Waiting: 4096, Produced: 4097, Consumed: 1, After: 3612 * time.Second},
			"memory limit reached: 1 GiB in flight after 1h0m10s, 4,096 messages of it unread; the producer sent 1 msg/s, the consumer received 0 msg/s, 4,097 times less"},
	} {
		if got := c.e.Error(); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

func TestLimit_SmallMessage_CountsPage(t *testing.T) {
	name, opt := place(t)
	opt.Limit = 4 * pageSize
	s := create(t, name, opt)
	send(t, s, "a", "", "c", strings.Repeat("d", int(pageSize)))
	testenv.WantErr(t, s.Send(t.Context(), nil), ErrLimit)
}

func TestLimit_PackedMessages_SharePage(t *testing.T) {
	name, opt := place(t)
	opt.Limit, opt.Buffer = 3*pageSize, int(pageSize)
	s := create(t, name, opt)
	sent := 0
	for ; sent < 10_000 && s.Send(t.Context(), []byte("12345678")) == nil; sent++ {
	}
	if want := 3 * int(pageSize) / 16; sent != want {
		t.Errorf("%d messages fit, want %d", sent, want)
	}
}

func TestLimit_Zero_None(t *testing.T) {
	name, opt := place(t)
	opt.Limit = NoLimit
	s := create(t, name, opt)
	if s.own.Limit.Load() != 0 || s.MaxMessage() != MaxMessage {
		t.Errorf("limit %d, messages of up to %d", s.own.Limit.Load(), s.MaxMessage())
	}
	_, err := s.Reserve(t.Context(), MaxMessage+1)
	testenv.WantErr(t, err, ErrTooLarge)
	send(t, s, "and on")
}

func TestSender_MessageTooLarge(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Limit = 64 << 10
		s, r := pair(t, opt)
		most := strings.Repeat("x", s.MaxMessage())
		testenv.WantErr(t, s.Send(t.Context(), []byte(most+"x")), ErrTooLarge)
		send(t, s, most)
		s.Flush()
		wantMessages(t, r, most)
		r.Release()
		ended(t, s, r)
	})
}

func TestLimit_TooSmallForAnyMessage_Refused(t *testing.T) {
	for _, limit := range []uint64{1, 4096, 8192} {
		name, opt := place(t)
		opt.Limit = limit
		s := create(t, name, opt)
		if n := s.MaxMessage(); n != 0 {
			t.Errorf("limit %d: messages of %d bytes", limit, n)
		}
		testenv.WantErr(t, s.Send(t.Context(), []byte("x")), ErrTooLarge)
	}
}

// The memory that is taken, as the kernel counts it: what lies in buffers of this
// process. With each size some of a rounded buffer would be beyond the limit, if only
// what is in it counted.
func TestLimit_BoundsRealMemory(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		for _, size := range []int{3000, 1<<15 + 4, 1<<17 + 4, 1<<18 - 20} {
			opt.Limit = 2 << 20
			s, r := pair(t, opt)
			msg := strings.Repeat("x", size)
			check := func() {
				t.Helper()
				most := max(testenv.MemfdBytes(os.Getpid()), s.queue.memory.bytes.taken.Load())
				if most > opt.Limit {
					t.Fatalf("%d bytes are taken, counted as %d, with a limit of %d", testenv.MemfdBytes(os.Getpid()), s.own.Memory.Load(), opt.Limit)
				}
				testenv.Eventually(t, "that it counts", func() bool { return testenv.MemfdBytes(os.Getpid()) <= s.own.Memory.Load() })
			}
			sent, taken := 0, 0
			for round := range 6 {
				n := 0
				for ; n < 5000 && s.Send(t.Context(), []byte(msg[:size-size/8*(round%3)])) == nil; n++ {
					if n%64 == 0 {
						check()
					}
				}
				check()
				if sent += n; n == 0 {
					t.Fatalf("round %d, size %d: nothing fits, with %d of %d released", round, size, taken, sent)
				}
				s.Flush()
				for range (sent - taken + 1) / 2 {
					if _, err := r.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
					taken++
				}
				check()
				r.Release()
			}
			for ; taken < sent; taken++ {
				if _, err := r.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.Release()
			ended(t, s, r)
			closes(t, r)
			if n := testenv.MemfdBytes(os.Getpid()); n != 0 {
				t.Errorf("%d bytes are taken at the end", n)
			}
		}
	})
}

// Without descriptors messages wait in ordinary memory: that is bounded too, with what is kept of
// it for reuse.
func TestLimit_BoundsOrdinaryMemory(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		opt.Limit, opt.OnLimit = 64*pageSize, Drop
		if opt.Buffer > 0 {
			opt.Buffer = 16 * int(pageSize)
		}
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		s.queue.memory.fds.max = 2
		held := func() (n uint64) {
			s.queue.mu.Lock()
			defer s.queue.mu.Unlock()
			for i := range s.queue.buffers.len() {
				n += uint64(cap(s.queue.buffers.at(i).data))
			}
			return n + uint64(s.queue.memory.plain.bytes) + testenv.MemfdBytes(os.Getpid())
		}
		sent := 0
		for range 2 {
			for i := range 100 {
				size := 10
				if i%10 == 0 {
					size = 40_000 // whose memory the next ones must not wait in
				}
				switch err := s.Send(t.Context(), make([]byte, size)); err {
				case nil:
					sent++
				case ErrDropped:
				default:
					t.Fatal(err)
				}
				s.Flush()
				if n := held(); n > opt.Limit {
					t.Fatalf("%d bytes are held after %d messages, with a limit of %d", n, i+1, opt.Limit)
				}
			}
			r := open(t, name, opt)
			for range sent {
				if _, err := r.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.Release()
			}
			sent = 0
			if n := held(); n > opt.Limit {
				t.Errorf("%d bytes are held when all is released", n)
			}
			closes(t, r)
		}
	})
}

// A peak takes memory, and leaves it when it is over.
func TestMemory_GivenBackAfterPeak(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		s, r := pair(t, opt)
		msg := strings.Repeat("x", 100_000)
		for range 300 {
			send(t, s, msg)
		}
		s.Flush()
		if n := s.own.Memory.Load(); n < 300*100_000 {
			t.Fatalf("%d bytes in flight count as %d", 300*len(msg), n)
		}
		for range 300 {
			wantMessages(t, r, msg)
		}
		r.Release()
		testenv.Eventually(t, "an end of the peak", func() bool { return testenv.MemfdBytes(os.Getpid()) <= keptFree && s.own.Memory.Load() <= keptFree })
		send(t, s, msg)
		s.Flush()
		wantMessages(t, r, msg)
		r.Release()
		ended(t, s, r)
	})
}

// As large as an int can be, in a buffer that is open.
func TestSender_MessageLargerThanAnyFile_TooLarge(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt endOptions) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		for range 2 {
			_, err := s.Reserve(t.Context(), math.MaxInt)
			testenv.WantErr(t, err, ErrTooLarge)
			_, err = s.Reserve(t.Context(), MaxMessage+1)
			testenv.WantErr(t, err, ErrTooLarge)
			_, err = s.Reserve(t.Context(), 1)
			testenv.WantErr(t, err, nil)
		}
	})
}
