package main

import (
	"context"

	"sluice/internal/command"
	"sluice/internal/source"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// sender is what the producer needs of a ring.Writer or a transfer.Sender.
type sender interface {
	source.Sender
	Segment() *shm.Segment
	// resumed is how many messages of an earlier producer are still unread.
	resumed() uint64
	// queued is how many messages deliver will wait for.
	queued() uint64
	// deliver waits until all is in the right hands. ended says that the whole
	// input was sent, which even of an empty one is something to deliver.
	deliver(ctx context.Context, ended bool) error
	// leave gives the role back. kept is how many unread messages are there for
	// the next consumer.
	leave(ctx context.Context) (kept uint64, err error)
}

func open(ctx context.Context, common command.Common, opt options) (sender, error) {
	if common.Mode == layout.ModeTransfer {
		s, err := transfer.Create(ctx, common.Name, transfer.Options{
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
func (b bounded) resumed() uint64 { return b.Resumed() }

func (b bounded) queued() uint64 { return 0 }

func (b bounded) deliver(_ context.Context, ended bool) error {
	if ended {
		b.KeepEnd()
	}
	return nil
}

func (b bounded) leave(context.Context) (uint64, error) { return b.Close() }

// elastic is a transfer: the queue is this process's, until it is delivered.
type elastic struct{ *transfer.Sender }

func (e elastic) resumed() uint64 { return 0 }

func (e elastic) queued() (n uint64) {
	_ = shm.Guard(func() error { n = e.Queued(); return nil }) // deliver says what is wrong
	return n
}

func (e elastic) deliver(ctx context.Context, ended bool) error {
	if ended {
		e.DeliverEnd()
	}
	_, err := e.Drain(ctx)
	return err
}

func (e elastic) leave(ctx context.Context) (uint64, error) {
	_, err := e.Close(ctx)
	return 0, err
}
