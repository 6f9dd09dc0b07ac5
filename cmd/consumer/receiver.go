package main

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/command"
	"sluice/internal/service"
	"sluice/internal/sink"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// receiver is what the consumer needs of a ring.Reader or a transfer.Receiver.
type receiver interface {
	sink.Receiver
	Segment() *shm.Segment
	Framing() layout.Framing
	// hold is how much to take before it is released together.
	hold() (bytes, messages int)
	// leave gives the role back. kept is how many unread messages are there for
	// the next consumer.
	leave() (kept uint64, err error)
	// writeOff counts what will never come any more, so that the last report has it.
	writeOff()
}

// open waits for the segment, and receives as that wants it.
func open(ctx context.Context, common command.Common, opt options) (receiver, error) {
	listener, err := service.Listener()
	if err != nil {
		return nil, err
	}
	seg, err := shm.OpenWhenThere(ctx, common.Name, layout.Consumer, common.Access)
	if err != nil {
		return nil, err
	}
	mode := seg.Geometry().Mode
	if common.Mode != 0 && common.Mode != mode {
		_, err := seg.Leave(func() bool { return false })
		return nil, errors.Join(fmt.Errorf("segment %q: %w: %v, not %v", common.Name, layout.ErrMode, mode, common.Mode), err)
	}
	if mode == layout.ModeTransfer {
		r, err := transfer.OpenSegment(seg, transfer.Options{
			Socket: common.Socket, Listener: listener, Access: common.Access, Keep: common.Keep, Follow: opt.follow,
		})
		return elastic{r}, err
	}
	r, err := ring.OpenSegment(seg, ring.Options{Spin: common.Spin, Keep: common.Keep, Follow: opt.follow})
	return bounded{r}, err
}

// most is how many messages are held at once.
const most = 512

type bounded struct{ *ring.Reader }

// hold is an eighth of the ring, so that the producer always has room.
func (b bounded) hold() (bytes, messages int) {
	g := b.Segment().Geometry()
	messages = most
	if g.Slots > 0 {
		messages = max(1, min(messages, int(g.Slots/8)))
	}
	return int(g.Capacity / 8), messages
}

func (b bounded) leave() (uint64, error) { return b.Close() }

func (b bounded) writeOff() {} // what is in a ring is there for the next consumer

type elastic struct{ *transfer.Receiver }

func (elastic) hold() (bytes, messages int) { return 1 << 20, most }

func (e elastic) leave() (uint64, error) { return 0, e.Close() }

func (e elastic) writeOff() {
	_ = shm.Guard(func() error { e.WriteOff(); return nil }) // leave says what is wrong
}
