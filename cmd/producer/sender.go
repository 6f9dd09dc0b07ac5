package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/source"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// sender is what the producer needs of a ring.Writer or a transfer.Sender.
type sender interface {
	source.Sender
	Segment() *shm.Segment
	// larger says what to do for a larger message.
	larger() string
	// loses stops the sender where it is, and says what of it is lost when the process
	// leaves at once. It may be called from another goroutine, once, until leave.
	loses() string
	// Published is how many messages were sent, as the sender itself counts.
	Published() uint64
	// resumed is how many messages of an earlier producer are still unread.
	resumed() uint64
	// queued is how many messages deliver will wait for, and whether it waits for a consumer
	// to tell as well.
	queued(end bool) (n uint64, tells bool)
	// EndAs says how the stream has ended, before deliver.
	EndAs(end layout.End)
	// KeepEnd lets a consumer that is still to come learn how the stream has ended, where
	// none was told. It is for after deliver.
	KeepEnd()
	// deliver waits until all is in the right hands: the end too, if that is to be told.
	deliver(ctx context.Context, end bool) error
	// leave gives the role back. kept is how many unread messages are there for
	// the next consumer.
	leave(ctx context.Context) (kept uint64, err error)
}

const nothingLost = "nothing that was sent is lost"

// losing returns what says what is lost when the process leaves at once.
func losing(w sender, in *source.Input) func() string {
	return func() string {
		text := w.loses()
		if in != nil && in.Size() < 0 {
			text += "; what was read from the input and not sent is lost"
		}
		return text
	}
}

func open(ctx context.Context, common cli.Common, opt options) (sender, error) {
	if common.Mode == layout.ModeTransfer {
		s, err := transfer.Create(ctx, common.Name, transfer.SenderOptions{
			Socket: common.Socket, Access: common.Access, Keep: common.Keep, Fresh: opt.fresh, Framing: opt.framing,
			Limit: opt.limit, Buffer: opt.buffer, Recycle: opt.recycle,
		})
		return elastic{s}, err
	}
	w, err := ring.Create(ctx, common.Name, ring.Options{
		Spin: common.Spin, Access: common.Access, Keep: common.Keep, Fresh: opt.fresh, Framing: opt.framing,
		Capacity: opt.capacity, Slots: opt.slots, OnFull: opt.onFull,
	})
	return bounded{w}, err
}

// bounded is a ring: what is published is there, whoever lives.
type bounded struct{ *ring.Writer }

func (b bounded) Flush()          { b.Publish() }
func (b bounded) larger() string  { return "choose a larger --capacity" }
func (b bounded) resumed() uint64 { return b.Resumed() }

func (b bounded) queued(bool) (uint64, bool) { return 0, false }

func (b bounded) loses() string {
	seen, err := pressure.Observe(b.Segment())
	switch {
	case err != nil:
		return "the segment was truncated, so what is lost is not known"
	case seen.Depth() == 0:
		return nothingLost
	case errors.Is(b.Segment().Check(), shm.ErrRemoved):
		return "what is in the ring is lost: the segment was removed"
	}
	return "what is in the ring is kept for the next consumer"
}

func (b bounded) deliver(context.Context, bool) error { return nil }

func (b bounded) leave(context.Context) (uint64, error) { err := b.Close(); return b.Unread(), err }

// elastic is a transfer: the queue is this process's, until it is delivered.
type elastic struct{ *transfer.Sender }

func (e elastic) larger() string {
	var file unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_FSIZE, &file) == nil && file.Cur < uint64(e.MaxMessage()+2*os.Getpagesize()) {
		return "allow larger files (ulimit -f)"
	}
	return "choose a larger --limit"
}

func (e elastic) resumed() uint64 { return 0 }

func (e elastic) loses() string {
	most, are := "", "are"
	n, exact := e.StopSending()
	if !exact {
		most = "at most "
	}
	switch n {
	case 0:
		if seen, err := pressure.Observe(e.Segment()); err == nil && seen.Depth() > 0 {
			return fmt.Sprintf("all that was sent was handed over; lost if the consumer ends before it takes it: %s", format.Messages(seen.Depth()))
		}
		return nothingLost
	case 1:
		are = "is"
	}
	return fmt.Sprintf("%s%s that had not been handed over %s lost", most, format.Messages(n), are)
}

func (e elastic) queued(end bool) (n uint64, tells bool) {
	_ = shm.Guard(func() error { n = e.Unread(); return nil }) // deliver says what is wrong
	return n, end
}

func (e elastic) deliver(ctx context.Context, end bool) error {
	if end {
		e.DeliverEnd()
	}
	return e.Shutdown(ctx)
}

func (e elastic) leave(ctx context.Context) (uint64, error) {
	return 0, e.Close()
}
