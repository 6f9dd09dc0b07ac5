package main

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/cli"
	"sluice/internal/sink"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// receiver is what the consumer needs of a ring.Reader or a transfer.Receiver.
type receiver interface {
	sink.Receiver
	Segment() *shm.Segment
	Framing() layout.Framing
	// Released is how many messages were taken and released, as the receiver itself counts.
	Released() uint64
	// hold is how much to take before it is released together.
	hold() (bytes, messages int)
	// leave gives the role back. kept is how many unread messages are there for
	// the next consumer.
	leave() (kept uint64, err error)
	// loses says what is lost when the process leaves at once. It may be called from
	// another goroutine until leave.
	loses() string
	// writeOff counts what nobody will ever take, now that this receiver takes no more, and
	// returns how many messages that are: the last report has them.
	writeOff() (lost uint64)
}

// open waits for the segment, and receives as that wants it. ended is told of each end
// of a stream that --follow goes on after.
func open(ctx context.Context, common cli.Common, opt options, ended func(error)) (receiver, error) {
	listener, err := systemd.Listener()
	if err != nil {
		return nil, err
	}
	seg, err := shm.OpenWait(ctx, common.Name, layout.Consumer, common.Access)
	if err != nil {
		return nil, err
	}
	mode := seg.Geometry().Mode
	if common.Mode != 0 && common.Mode != mode {
		_, err := seg.Leave(func() bool { return false })
		return nil, errors.Join(shm.InSegment("", common.Name, fmt.Errorf("%w: %v, not %v", layout.ErrMode, mode, common.Mode)), err)
	}
	if mode == layout.ModeTransfer {
		r, err := transfer.OpenSegment(seg, transfer.ReceiverOptions{
			Socket: common.Socket, Listener: listener, Access: common.Access, Keep: common.Keep, Follow: opt.follow, OnEnd: ended,
		})
		return elastic{r}, err
	}
	r, err := ring.OpenSegment(seg, ring.Options{Spin: common.Spin, Keep: common.Keep, Follow: opt.follow, OnEnd: ended})
	return bounded{r}, err
}

// most is how many messages are held at once.
const maxHeldMessages = 512

type bounded struct{ *ring.Reader }

// hold is an eighth of the ring, so that the producer always has room.
func (b bounded) hold() (bytes, messages int) {
	g := b.Segment().Geometry()
	messages = maxHeldMessages
	if g.Slots > 0 {
		messages = max(1, min(messages, int(g.Slots/8)))
	}
	return int(g.Capacity / 8), messages
}

func (b bounded) leave() (uint64, error) { err := b.Close(); return b.Unread(), err }

func (b bounded) loses() string {
	return "what was not released is delivered to the next consumer"
}

func (b bounded) writeOff() uint64 { return 0 } // what is in a ring is there for the next consumer

type elastic struct{ *transfer.Receiver }

func (elastic) hold() (bytes, messages int) { return 1 << 20, maxHeldMessages }

func (e elastic) leave() (uint64, error) { return 0, e.Close() }

func (e elastic) loses() string {
	seen, err := pressure.Observe(e.Segment())
	switch {
	case err != nil || seen.Producer.Alive:
		return "the producer sends again what was not released"
	case seen.Depth() == 0:
		return "nothing is lost"
	}
	return "what was not released is lost with the producer, which has died"
}

func (e elastic) writeOff() (lost uint64) {
	_ = shm.Guard(func() error { lost = e.WriteOff(); return nil }) // leave says what is wrong
	return lost
}
