package transfer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/layout"
)

func TestASenderNeedsNoConsumer(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt Options) {
		name, at := place(t)
		opt.Socket = at.Socket
		s := create(t, name, opt)
		for i := range 3000 {
			send(t, s, fmt.Sprint(i))
		}
		s.Flush()
		if s.Queued() != 3000 || s.own.HighWater.Load() != 3000 {
			t.Errorf("%d messages are queued, at most %d", s.Queued(), s.own.HighWater.Load())
		}
		eventually(t, "a reason", func() bool { return s.own.Obstacle.Load() == uint64(layout.ObstacleConsumer) })
		r := open(t, name, opt)
		for i := range 3000 {
			takes(t, r, fmt.Sprint(i))
			r.Release()
		}
		ended(t, s, r)
	})
}

func TestASenderDoesNotWaitForAConsumerThatDoesNotRead(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt Options) {
		opt.Batch = 1 // or all of it fits into the socket
		s, r := pair(t, opt)
		send(t, s, "first")
		s.Flush()
		takes(t, r, "first") // it is connected
		for i := range 300 {
			send(t, s, fmt.Sprint(i))
			s.Flush()
		}
		eventually(t, "a full socket", func() bool { return s.own.Obstacle.Load() == uint64(layout.ObstacleSocket) })
		if s.own.Refused.Load() == 0 {
			t.Error("it does not count as refused")
		}
		for i := range 300 {
			takes(t, r, fmt.Sprint(i))
		}
		r.Release()
		ended(t, s, r)
	})
}

func TestTheLimitIsOfMemoryInFlight(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt Options) {
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
			!strings.Contains(text, "the consumer took none") {
			t.Error(text)
		}
		if s.own.Limit.Load() != 16*pageSize {
			t.Errorf("limit %d", s.own.Limit.Load())
		}
		eventually(t, "a reason", func() bool { // the courier has its own, until it is done
			return fill() == 0 && s.own.Obstacle.Load() == uint64(layout.ObstacleMemory)
		})
		takes(t, r, half, half, half, half)
		if n := fill(); n != 0 {
			t.Errorf("%d more because of messages that are held", n)
		}
		r.Release()
		if n := fill(); n != 4 {
			t.Errorf("%d more in place of 4", n)
		}
		if limit.Waiting != 16 || limit.Produced != 20 || limit.Consumed != 4 || !strings.Contains(limit.Error(), "5.0 times less") {
			t.Errorf("%+v: %v", *limit, limit)
		}
		for range 16 {
			takes(t, r, half)
		}
		r.Release()
		ended(t, s, r)
	})
}

func TestASmallMessageTakesAPageOfTheLimit(t *testing.T) {
	name, opt := place(t)
	opt.Limit = 4 * pageSize
	s := create(t, name, opt)
	send(t, s, "a", "", "c", strings.Repeat("d", int(pageSize)))
	is(t, s.Send(t.Context(), nil), ErrLimit)
}

func TestPackedMessagesShareAPageOfTheLimit(t *testing.T) {
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

func TestNoLimitIsNone(t *testing.T) {
	name, opt := place(t)
	opt.Limit = NoLimit
	s := create(t, name, opt)
	if s.own.Limit.Load() != 0 || s.MaxMessage() != MaxMessage {
		t.Errorf("limit %d, messages of up to %d", s.own.Limit.Load(), s.MaxMessage())
	}
	_, err := s.Reserve(t.Context(), MaxMessage+1)
	is(t, err, ErrTooLarge)
	send(t, s, "and on")
}

func TestAMessageThatIsTooLarge(t *testing.T) {
	inEveryForm(t, func(t *testing.T, opt Options) {
		opt.Limit = 64 << 10
		s, r := pair(t, opt)
		most := strings.Repeat("x", s.MaxMessage())
		is(t, s.Send(t.Context(), []byte(most+"x")), ErrTooLarge)
		send(t, s, most)
		s.Flush()
		takes(t, r, most)
		r.Release()
		ended(t, s, r)
	})
}

func TestALimitThatLeavesRoomForNoMessage(t *testing.T) {
	for _, limit := range []uint64{1, 4096, 8192} {
		name, opt := place(t)
		opt.Limit = limit
		s := create(t, name, opt)
		if n := s.MaxMessage(); n != 0 {
			t.Errorf("limit %d: messages of %d bytes", limit, n)
		}
		is(t, s.Send(t.Context(), []byte("x")), ErrTooLarge)
	}
}
