package sluice_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/shm"
)

// An error says what was done, in which segment, and what went wrong, each once and in one line.
func TestErrors_NameOperationAndSegmentOnce(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		ctx := t.Context()
		want := func(err, is error, op string) {
			t.Helper()
			var in *sluice.SegmentError
			if !errors.Is(err, is) || !errors.As(err, &in) || in.Op != op || in.Name != name {
				t.Fatalf("%v; want %v with the operation %q", err, is, op)
			}
			text := err.Error()
			if strings.Count(text, name) != 1 || !strings.HasPrefix(text, op+` segment "`) || strings.Count(text, op+" ") != 1 || strings.Contains(text, "\n") {
				t.Errorf("%q; want %q and the segment in it once", text, op)
			}
		}
		invalid := opt
		invalid.Mode = 7
		_, err := sluice.Create(ctx, name, invalid)
		want(err, sluice.ErrOption, "create")
		invalid = opt
		invalid.Capacity, invalid.Slots, invalid.Limit, invalid.Recycle, invalid.Spin = 4096, 8, 1<<20, true, -9
		_, err = sluice.Create(ctx, name, invalid)
		want(err, sluice.ErrOption, "create")
		_, err = sluice.Open(ctx, name, sluice.ConsumerOptions{Spin: -9})
		want(err, sluice.ErrOption, "open")
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = sluice.Open(short, name, sluice.ConsumerOptions{})
		want(err, context.DeadlineExceeded, "wait for")

		other := sluice.ModeTransfer
		if opt.Mode == other {
			other = sluice.ModeRing
		}
		p := create(t, name, opt)
		_, err = sluice.Create(ctx, name, opt)
		want(err, sluice.ErrRoleTaken, "open")
		_, err = sluice.Open(ctx, name, sluice.ConsumerOptions{Mode: other})
		want(err, sluice.ErrMode, "open")
		c := open(t, name, sluice.ConsumerOptions{})
		_, err = sluice.Create(ctx, name, sluice.ProducerOptions{Mode: other})
		want(err, sluice.ErrRoleTaken, "open")

		large := make([]byte, p.MaxMessage()+1)
		want(p.Send(ctx, large), sluice.ErrTooLarge, "send to")
		_, err = p.SendBatch(ctx, [][]byte{large})
		want(err, sluice.ErrTooLarge, "send to")
		_, err = p.Reserve(ctx, len(large))
		want(err, sluice.ErrTooLarge, "send to")

		wantErr(t, p.Send(ctx, []byte("x")), nil)
		drained := make(chan error, 1)
		go func() { drained <- p.Drain(ctx) }()
		wantNext(t, c, "x")
		_, err = c.Next(ctx)
		want(err, sluice.ErrUnreleased, "receive from")
		c.Release()
		wantErr(t, <-drained, nil)

		wantErr(t, p.Send(ctx, []byte("x")), nil)
		p.EndAs(sluice.EndStopped)
		end(t, p)
		wantNext(t, c, "x")
		c.Release()
		_, err = c.Next(ctx)
		want(err, sluice.ErrIncomplete, "receive from")
		_, err = c.TryNext()
		want(err, sluice.ErrIncomplete, "receive from")
		_, err = c.Receive(ctx, nil)
		want(err, sluice.ErrIncomplete, "receive from")
		for _, err := range c.Messages(ctx) {
			want(err, sluice.ErrIncomplete, "receive from")
		}
	})
}

// With Follow the end of a stream is told to a function, not returned.
func TestErrors_OnEnd_NamesSegment(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		p := create(t, name, opt)
		ended := make(chan error, 1)
		c := open(t, name, sluice.ConsumerOptions{Follow: true, OnEnd: func(err error) { ended <- err }})
		wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		p.EndAs(sluice.EndFailed)
		end(t, p)
		wantNext(t, c, "x")
		c.Release()
		waiting, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Next(waiting) }()
		err := <-ended
		cancel()
		<-done
		var in *sluice.SegmentError
		if !errors.Is(err, sluice.ErrIncomplete) || !errors.As(err, &in) || in.Name != name {
			t.Errorf("%v", err)
		}
	})
}

// What several steps of Close find out is one error, and each thing is in it once.
func TestErrors_Close_OneLine(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		want := func(err error, all ...error) {
			t.Helper()
			var in *sluice.SegmentError
			if !errors.As(err, &in) || in.Op != "close" || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), name) != 1 {
				t.Errorf("%v", err)
			}
			for _, e := range all {
				if !errors.Is(err, e) || strings.Count(err.Error(), e.Error()) != 1 {
					t.Errorf("%v; want %q in it once", err, e)
				}
			}
		}
		send := func() sluice.Producer {
			p := create(t, name, opt)
			wantErr(t, p.Send(t.Context(), []byte("x")), nil)
			p.Flush()
			return p
		}
		p := send()
		wantErr(t, os.Remove(shm.Path(name)), nil)
		if opt.Mode == sluice.ModeTransfer {
			// The error of a goroutine of the producer's, which has to look first.
			for err := error(nil); err == nil; err = p.Send(t.Context(), []byte("x")) {
				time.Sleep(time.Millisecond)
			}
			want(p.Close(), sluice.ErrRemoved, sluice.ErrUndelivered)
		} else {
			want(p.Close(), sluice.ErrRemoved)
		}

		p = send()
		c := open(t, name, sluice.ConsumerOptions{})
		wantErr(t, os.Truncate(shm.Path(name), 0), nil)
		_, err := sluice.Stats(p)
		if in := new(sluice.SegmentError); !errors.Is(err, sluice.ErrTruncated) || !errors.As(err, &in) || in.Name != name {
			t.Errorf("%v", err)
		}
		want(p.Close(), sluice.ErrTruncated)
		want(c.Close(), sluice.ErrTruncated)
		os.Remove(shm.Path(name))
	})
}

// What a loop compares is the value itself.
func TestErrors_Plain(t *testing.T) {
	inBothModes(t, func(t *testing.T, opt sluice.ProducerOptions, name string) {
		is := func(err, want error) {
			t.Helper()
			if err != want {
				t.Errorf("%v, want %v and nothing around it", err, want)
			}
		}
		cause := errors.New("the reason")
		canceled, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		p := create(t, name, opt)
		c := open(t, name, sluice.ConsumerOptions{})
		_, err := c.TryNext()
		is(err, sluice.ErrEmpty)
		_, err = c.Next(canceled)
		is(err, cause)
		_, err = c.Receive(canceled, nil)
		is(err, cause)
		wantErr(t, p.Send(t.Context(), []byte("x")), nil)
		is(p.Drain(canceled), cause)
		wantNext(t, c, "x")
		c.Release()
		end(t, p)
		_, err = c.Next(t.Context())
		is(err, io.EOF)
		_, err = c.TryNext()
		is(err, io.EOF)
		wantErr(t, c.Close(), nil)
		_, err = c.Next(t.Context())
		is(err, sluice.ErrClosed)
		_, err = c.TryNext()
		is(err, sluice.ErrClosed)
		wantErr(t, p.Close(), nil)
		is(p.Send(t.Context(), nil), sluice.ErrClosed)
		_, err = p.SendBatch(t.Context(), [][]byte{nil})
		is(err, sluice.ErrClosed)
		_, err = p.Reserve(t.Context(), 1)
		is(err, sluice.ErrClosed)
		is(p.Drain(t.Context()), sluice.ErrClosed)
		_, err = sluice.Stats(p)
		is(err, sluice.ErrClosed)
		if opt.Mode == sluice.ModeTransfer {
			p := create(t, name, sluice.ProducerOptions{Mode: opt.Mode, Limit: 64 << 10, OnLimit: sluice.Drop, Fresh: true})
			for range 64 << 10 / os.Getpagesize() {
				wantErr(t, p.Send(t.Context(), nil), nil)
			}
			is(p.Send(t.Context(), nil), sluice.ErrDropped)
			wantErr(t, p.Abort(), sluice.ErrUndelivered)
			return
		}
		for policy, want := range map[sluice.Policy]error{sluice.Fail: sluice.ErrFull, sluice.Drop: sluice.ErrDropped} {
			p := create(t, name, sluice.ProducerOptions{Slots: 1, OnFull: policy, Fresh: true})
			wantErr(t, p.Send(t.Context(), nil), nil)
			is(p.Send(t.Context(), nil), want)
			wantErr(t, p.Close(), nil)
		}
	})
}
