package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice"
	"sluice/internal/testenv"
	"sluice/shm"
)

// Everything here holds in both modes: what a program may rely on that does not ask which it is.
func inBothModes(t *testing.T, test func(t *testing.T, opt sluice.ProducerOptions, name string)) {
	for mode, opt := range map[string]sluice.ProducerOptions{
		"ring":             {},
		"transfer":         {Mode: sluice.ModeTransfer},
		"transfer, packed": {Mode: sluice.ModeTransfer, Buffer: 4096},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("api.%d.%d", os.Getpid(), names.Add(1))
			t.Cleanup(func() {
				if err := shm.RemoveIfExists(context.Background(), name); err != nil {
					t.Error(err)
				}
			})
			test(t, opt, name)
		})
	}
}

var names atomic.Int64

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func create(t *testing.T, name string, opt sluice.ProducerOptions) sluice.Producer {
	t.Helper()
	p, err := sluice.Create(t.Context(), name, opt)
	wantErr(t, err, nil)
	t.Cleanup(func() { p.Abort() })
	return p
}

func open(t *testing.T, name string, opt sluice.ConsumerOptions) sluice.Consumer {
	t.Helper()
	c, err := sluice.Open(t.Context(), name, opt)
	wantErr(t, err, nil)
	t.Cleanup(func() { c.Close() })
	return c
}

// end ends the stream in the background: a transfer waits until everything was taken.
func end(t *testing.T, p sluice.Producer) {
	done := make(chan error, 1)
	go func() { done <- p.Close() }()
	t.Cleanup(func() { wantErr(t, <-done, nil) })
}

func wantNext(t *testing.T, c sluice.Consumer, want string) []byte {
	t.Helper()
	msg, err := c.Next(t.Context())
	wantErr(t, err, nil)
	if string(msg) != want {
		t.Fatalf("%q, want %q", msg, want)
	}
	return msg
}

func TestNext_MessagesInOrderThenEOF(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		wantErr(t, p.Send(t.Context(), []byte("sent")), nil)
		n, err := p.SendBatch(t.Context(), [][]byte{[]byte("in"), {}, []byte("batch")})
		wantErr(t, err, nil)
		if n != 3 {
			t.Errorf("%d sent, want 3", n)
		}
		buf, err := p.Reserve(t.Context(), 100)
		wantErr(t, err, nil)
		p.Commit(copy(buf, "in place"))
		if _, err := p.Reserve(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		p.Discard()
		p.Flush()
		if p.Published() != 5 || p.Unread() != 5 {
			t.Errorf("%d published, %d unread, want 5", p.Published(), p.Unread())
		}
		end(t, p)
		for _, want := range []string{"sent", "in", "", "batch", "in place"} {
			wantNext(t, c, want)
		}
		c.Release()
		_, err = c.Next(t.Context())
		wantErr(t, err, io.EOF)
		_, err = c.TryNext()
		wantErr(t, err, io.EOF)
		if c.Released() != 5 {
			t.Errorf("%d released, want 5", c.Released())
		}
	})
}

func TestReleaseN_KeepsTheOthers(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		_, err := p.SendBatch(t.Context(), [][]byte{[]byte("a"), []byte("b"), []byte("c")})
		wantErr(t, err, nil)
		p.Flush()
		wantNext(t, c, "a")
		wantNext(t, c, "b")
		last := wantNext(t, c, "c")
		c.ReleaseN(0)
		c.ReleaseN(2)
		if c.Held() != 1 || c.Released() != 2 || string(last) != "c" {
			t.Errorf("%d held, %d released, the last is %q", c.Held(), c.Released(), last)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("ReleaseN of more than is held does not panic")
				}
			}()
			c.ReleaseN(2)
		}()
		wantErr(t, c.Close(), nil)

		c = open(t, name, sluice.ConsumerOptions{})
		wantNext(t, c, "c") // what was not released comes again
		c.Release()
		end(t, p)
		_, err = c.Next(t.Context())
		wantErr(t, err, io.EOF)
	})
}

func TestNext_KeepsItsDeadlineAndACancel(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		_, err := c.TryNext()
		wantErr(t, err, sluice.ErrEmpty)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err = c.Next(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		cause := errors.New("the reason")
		canceled, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Millisecond, func() { stop(cause) })
		_, err = c.Next(canceled)
		wantErr(t, err, cause)
	})
}

func TestEndAs_AnythingElseThanCompleteIsErrIncomplete(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		wantErr(t, p.Send(t.Context(), []byte("half")), nil)
		p.EndAs(sluice.EndStopped)
		end(t, p)
		wantNext(t, c, "half")
		c.Release()
		_, err := c.Next(t.Context())
		wantErr(t, err, sluice.ErrIncomplete)
		wantErr(t, err, io.ErrUnexpectedEOF)
		if errors.Is(err, io.EOF) {
			t.Error("an incomplete stream is io.EOF")
		}
	})
}

func TestDrain_WaitsForTheConsumer(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		taken := make(chan error, 1)
		go func() {
			_, err := c.Receive(context.Background(), nil)
			taken <- err
		}()
		wantErr(t, p.Drain(t.Context()), nil)
		wantErr(t, <-taken, nil)
		if p.Unread() != 0 {
			t.Errorf("%d unread after Drain", p.Unread())
		}
		wantErr(t, p.Close(), nil)
	})
}

func TestAbort_EndsTheStreamAsFailed(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		if err := p.Abort(); err != nil && !errors.Is(err, sluice.ErrUndelivered) {
			t.Fatal(err)
		}
		for {
			_, err := c.Next(t.Context())
			if err == nil { // it may have been delivered before
				c.Release()
				continue
			}
			wantErr(t, err, sluice.ErrIncomplete)
			break
		}
	})
}

func TestClose_FromAnotherGoroutineEndsEveryCall(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		waiting := make(chan error, 1)
		go func() {
			_, err := c.Next(context.Background())
			waiting <- err
		}()
		time.Sleep(10 * time.Millisecond) // more often than not it waits by then
		wantErr(t, c.Close(), nil)
		wantErr(t, <-waiting, sluice.ErrClosed)
		wantErr(t, <-func() chan error {
			again := make(chan error, 1)
			_, err := c.Next(context.Background())
			again <- err
			return again
		}(), os.ErrClosed)
		c.Release()
		c.ReleaseN(0)
		wantErr(t, c.Close(), nil)

		wantErr(t, p.Close(), nil)
		wantErr(t, p.Send(t.Context(), []byte("late")), sluice.ErrClosed)
		wantErr(t, p.Drain(t.Context()), sluice.ErrClosed)
		p.Publish()
		p.Flush()
		p.Discard()
		wantErr(t, p.Close(), nil)
		wantErr(t, p.Abort(), nil)
	})
}

// Send ends a reservation: a Commit after it would use memory that was not checked.
func TestSend_DropsReservation(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		for _, send := range []func(){
			func() { wantErr(t, p.Send(t.Context(), []byte("x")), nil) },
			func() { p.SendBatch(t.Context(), [][]byte{[]byte("x")}) },
			p.Discard,
		} {
			for range 1000 { // most of them take the fast path of a ring
				_, err := p.Reserve(t.Context(), 8)
				wantErr(t, err, nil)
				send()
				func() {
					defer func() {
						if recover() == nil {
							t.Error("Commit finds a reservation after a call that dropped it")
						}
					}()
					p.Commit(8)
				}()
			}
		}
		end(t, p)
		for range 2000 {
			wantNext(t, c, "x")
			c.Release()
		}
		_, err := c.Next(t.Context())
		wantErr(t, err, io.EOF)
	})
}

// A misuse of an end that is not closed panics, and says what is wrong.
func TestMisuse_Panics(t *testing.T) {
	panics := func(call func()) (text string) {
		defer func() { text, _ = recover().(string) }()
		call()
		return ""
	}
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		for range 2 { // as the first calls, and when there is room already
			for want, misuse := range map[string]func(){
				"Reserve(-1): negative size":        func() { p.Reserve(t.Context(), -1) },
				"Commit(1) with 0 bytes reserved":   func() { p.Commit(1) },
				"Commit(-1) with 0 bytes reserved":  func() { p.Commit(-1) },
				"ReleaseN(1) with 0 messages held":  func() { c.ReleaseN(1) },
				"ReleaseN(-1) with 0 messages held": func() { c.ReleaseN(-1) },
			} {
				if got := panics(misuse); !strings.HasSuffix(got, ": "+want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
			_, err := p.SendBatch(t.Context(), [][]byte{[]byte("x")})
			wantErr(t, err, nil)
			p.Flush()
			wantNext(t, c, "x")
			c.Release()
		}
	})
}

// A Close from another goroutine comes between any two calls: none of those that follow panics, and
// each that has an error returns ErrClosed.
func TestClose_LaterCalls_Harmless(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		_, err := p.SendBatch(t.Context(), [][]byte{[]byte("a"), []byte("b"), []byte("c")})
		wantErr(t, err, nil)
		p.Flush()
		var held [][]byte
		for _, want := range []string{"a", "b", "c"} {
			held = append(held, wantNext(t, c, want))
		}
		reserved, err := p.Reserve(t.Context(), 8)
		wantErr(t, err, nil)
		wantErr(t, c.Close(), nil)
		if c.Held() != 3 {
			t.Errorf("%d held after Close, want the 3 that were before", c.Held())
		}
		for _, n := range []int{-1, 4, 1, 3, 0, 1} { // those that are in range end two slices
			c.ReleaseN(n)
		}
		if c.Held() != 1 || string(held[2]) != "c" || c.Released() != 0 {
			t.Errorf("%d held, %d released, and the last is %q", c.Held(), c.Released(), held[2])
		}
		c.ReleaseN(1)
		c.ReleaseN(1)
		c.Release()
		if c.Held() != 0 || c.Buffered() {
			t.Errorf("%d held, buffered %v", c.Held(), c.Buffered())
		}
		for _, err := range c.Messages(t.Context()) {
			wantErr(t, err, sluice.ErrClosed)
		}
		_, err = c.Receive(t.Context(), nil)
		wantErr(t, err, sluice.ErrClosed)

		if err := p.Abort(); err != nil {
			wantErr(t, err, sluice.ErrUndelivered)
		}
		reserved[7] = 1
		for _, n := range []int{9, -1, 8, 8, 0} {
			p.Commit(n)
		}
		p.Publish()
		p.Flush()
		p.Discard()
		p.EndAs(sluice.EndFailed)
		p.KeepEnd()
		p.SetDue(time.Now())
		for _, n := range []int{-1, 0, 1 << 40} {
			_, err := p.Reserve(t.Context(), n)
			wantErr(t, err, sluice.ErrClosed)
		}
		p.Commit(0)
		_, err = p.SendBatch(t.Context(), nil)
		wantErr(t, err, sluice.ErrClosed)
		if p.Published() != 3 || p.Unread() != 3 || p.MaxMessage() == 0 || p.Segment().Name() != name {
			t.Errorf("%d published, %d unread, at most %d bytes, in %q", p.Published(), p.Unread(), p.MaxMessage(), p.Segment().Name())
		}
	})
}

func TestStats_FromEitherSide(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		for range 3 {
			wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		}
		p.Flush()
		_, err := c.Receive(t.Context(), nil)
		wantErr(t, err, nil)
		for side, of := range map[string]interface{ Segment() *shm.Segment }{"producer": p, "consumer": c} {
			s, err := sluice.Stats(of)
			wantErr(t, err, nil)
			if s.Produced != 3 || s.Consumed != 1 || s.Depth() != 2 || !s.Producer.Alive || !s.Consumer.Alive {
				t.Errorf("by the %s: %d produced, %d consumed, %d queued", side, s.Produced, s.Consumed, s.Depth())
			}
		}
	})
}

func TestSetDue_ResponseOfWhatIsCommittedAfterIt(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		late := testenv.LongAgo()
		send := func(n int) {
			for range n {
				wantErr(t, p.Send(t.Context(), []byte("x")), nil)
			}
		}
		send(2)
		p.SetDue(time.Now().Add(-late))
		send(3)
		buf, err := p.Reserve(t.Context(), 1)
		wantErr(t, err, nil)
		p.Commit(copy(buf, "x"))
		p.Publish()
		p.Flush()
		p.SetDue(time.Time{})
		send(4)
		p.Flush()

		c := open(t, name, sluice.ConsumerOptions{})
		for range 10 {
			_, err := c.Receive(t.Context(), nil)
			wantErr(t, err, nil)
		}
		_, err = c.TryNext() // by now what was released counts
		wantErr(t, err, sluice.ErrEmpty)
		s, err := sluice.Stats(c)
		wantErr(t, err, nil)
		if s.Response.Count != 4 || s.Latency.Count != 10 {
			t.Errorf("%d response times and %d latencies, want 4 of the messages that were due, and 10", s.Response.Count, s.Latency.Count)
		}
		if low, high := s.Response.Quantile(0.01), s.Response.Max; low < late*9/10 || high > late*3/2 {
			t.Errorf("response from %v to %v, want %v", low, high, late)
		}
		if s.Latency.Max > late/2 {
			t.Errorf("latency %v counts from when a message was due", s.Latency.Max)
		}
	})
}

func TestCreateAndOpen_Refuse(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		for _, bad := range []string{"", ".", "a/b", "a b"} {
			p, err := sluice.Create(t.Context(), bad, opt)
			wantErr(t, err, sluice.ErrName)
			c, err := sluice.Open(t.Context(), bad, sluice.ConsumerOptions{})
			wantErr(t, err, sluice.ErrName)
			if p != nil || c != nil {
				t.Errorf("%q: a producer %v or a consumer %v beside an error", bad, p, c)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := sluice.Open(ctx, name, sluice.ConsumerOptions{}) // nobody makes it
		wantErr(t, err, context.DeadlineExceeded)

		create(t, name, opt)
		p, err := sluice.Create(t.Context(), name, opt)
		wantErr(t, err, sluice.ErrRoleTaken)
		if p != nil {
			t.Error("a producer beside an error")
		}
		other := sluice.ModeTransfer
		if opt.Mode == other {
			other = sluice.ModeRing
		}
		_, err = sluice.Open(t.Context(), name, sluice.ConsumerOptions{Mode: other})
		wantErr(t, err, sluice.ErrMode)
		open(t, name, sluice.ConsumerOptions{Mode: opt.Mode}) // the role is free again
		_, err = sluice.Open(t.Context(), name, sluice.ConsumerOptions{})
		wantErr(t, err, sluice.ErrRoleTaken)
	})
}

func TestCreate_InvalidOption(t *testing.T) {
	for want, opt := range map[string]sluice.ProducerOptions{
		"Mode 7 is neither":            {Mode: 7},
		"OnFull 9 is none of":          {OnFull: 9},
		"Spin -2ns is negative":        {Spin: -2},
		"Buffer -9 is negative":        {Mode: sluice.ModeTransfer, Buffer: -9},
		"Limit 1 is less than 65536":   {Mode: sluice.ModeTransfer, Limit: 1},
		"Capacity is for ring mode":    {Mode: sluice.ModeTransfer, Capacity: 4096},
		"OnFull is for ring mode":      {Mode: sluice.ModeTransfer, OnFull: sluice.Drop},
		"Populate is for ring mode":    {Mode: sluice.ModeTransfer, Populate: true},
		"Limit is for transfer mode":   {Limit: 1 << 20},
		"OnLimit is for transfer mode": {OnLimit: sluice.Drop},
		"ResumeAt is for OnLimit":      {Mode: sluice.ModeTransfer, ResumeAt: 0.5},
		"ResumeAt 2 is not from":       {Mode: sluice.ModeTransfer, OnLimit: sluice.Block, ResumeAt: 2},
		"Recycle is for transfer mode": {Recycle: true},
		"Socket is for transfer mode":  {Socket: "/run/x"},
		"capacity 5000 is not a power": {Capacity: 5000},
		"slots 1099511627776 is more":  {Slots: 1 << 40},
	} {
		p, err := sluice.Create(t.Context(), "api.invalid", opt)
		if p != nil || !errors.Is(err, sluice.ErrOption) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, %v, want %q", opt, p, err, want)
		}
	}
}

func TestOpen_InvalidOption(t *testing.T) {
	for want, opt := range map[string]sluice.ConsumerOptions{
		"Mode 7 is neither":     {Mode: 7},
		"Spin -2ns is negative": {Spin: -2},
	} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("it waits for a segment"))
		c, err := sluice.Open(ctx, "api.invalid", opt)
		cancel()
		if c != nil || !errors.Is(err, sluice.ErrOption) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, %v, want %q", opt, c, err, want)
		}
	}
}

func TestCreateAndOpen_NotSegment_Refused(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		if err := os.WriteFile(shm.Path(name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(shm.Path(name))
		_, err := sluice.Create(t.Context(), name, opt)
		wantErr(t, err, sluice.ErrNotSegment)
		_, err = sluice.Open(t.Context(), name, sluice.ConsumerOptions{})
		wantErr(t, err, sluice.ErrNotSegment)
	})
}

// Stats may be asked for at any time, also while the end is being closed and after that.
func TestStats_WhileClosing(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		for range 20 {
			p := create(t, name, opt)
			c := open(t, name, sluice.ConsumerOptions{})
			asked := make(chan error, 2)
			for _, end := range []interface{ Segment() *shm.Segment }{p, c} {
				go func() {
					for {
						if _, err := sluice.Stats(end); err != nil {
							asked <- err
							return
						}
					}
				}()
			}
			msg, err := p.Reserve(t.Context(), 8) // which Close keeps readable
			wantErr(t, err, nil)
			wantErr(t, c.Close(), nil)
			wantErr(t, p.Close(), nil)
			_ = msg[7]
			wantErr(t, <-asked, sluice.ErrClosed)
			wantErr(t, <-asked, sluice.ErrClosed)
		}
	})
}

// Without a consumer a ring keeps its messages, and a transfer says how many are lost.
func TestClose_WithoutConsumer(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		for range 3 {
			wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		}
		err := p.Close()
		if p.Unread() != 3 {
			t.Errorf("%d unread, want 3", p.Unread())
		}
		if opt.Mode == sluice.ModeTransfer {
			var undelivered *sluice.UndeliveredError
			if !errors.As(err, &undelivered) || undelivered.Lost != 3 || !errors.Is(err, sluice.ErrUndelivered) {
				t.Errorf("error %v, want an UndeliveredError of 3", err)
			}
			return
		}
		wantErr(t, err, nil)
		c := open(t, name, sluice.ConsumerOptions{})
		for range 3 {
			wantNext(t, c, "x")
		}
	})
}

func TestSend_TooLargeOrAtTheLimit(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		full := sluice.ErrFull
		if opt.Mode == sluice.ModeTransfer {
			opt.Limit, full = 64<<10, sluice.ErrLimit
		} else {
			opt.Capacity, opt.OnFull = 4096, sluice.Fail
		}
		p := create(t, name, opt)
		wantErr(t, p.Send(t.Context(), make([]byte, p.MaxMessage()+1)), sluice.ErrTooLarge)
		for range 100 {
			if err := p.Send(t.Context(), make([]byte, 1000)); err != nil {
				wantErr(t, err, full)
				return
			}
		}
		t.Error("100 messages of 1,000 bytes fit")
	})
}

// A consumer that holds messages and waits for more, and a producer that waits for those: the
// consumer is told.
func TestDrain_ConsumerHoldsMessages(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		for range 3 {
			wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		}
		drained := make(chan error, 1)
		go func() { drained <- p.Drain(context.Background()) }()
		for range 3 {
			wantNext(t, c, "x")
		}
		_, err := c.Next(t.Context())
		wantErr(t, err, sluice.ErrUnreleased)
		c.Release()
		wantErr(t, <-drained, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		p.Flush()
		wantNext(t, c, "x")
		_, err = c.Next(ctx) // nobody waits for it now
		wantErr(t, err, context.DeadlineExceeded)
	})
}
