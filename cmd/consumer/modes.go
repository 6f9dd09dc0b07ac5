package main

import (
	"context"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/shm"
	"sluice/transfer"
)

// open waits for the segment and takes part in its mode. ended is told of each end of a stream
// that --follow goes on after.
func open(ctx context.Context, common cli.Common, opt options, ended func(error)) (sluice.Consumer, error) {
	listener, err := systemd.Listener()
	if err != nil {
		return nil, err
	}
	return sluice.Open(ctx, common.Name, sluice.ConsumerOptions{
		Mode: common.Mode, Access: common.Access, Keep: common.Keep, Follow: opt.follow, OnEnd: ended,
		Spin: common.Spin, Socket: common.Socket, Listener: listener,
	})
}

// maxHeld returns how much to take before it is released together. Of a ring it is an eighth, so
// that the producer always has room.
func maxHeld(seg *shm.Segment) (bytes, messages int) {
	bytes, messages = 1<<20, 512
	g := seg.Geometry()
	if g.Mode == layout.ModeRing {
		bytes = int(g.Capacity / 8)
	}
	if g.Slots > 0 {
		messages = max(1, min(messages, int(g.Slots/8)))
	}
	return bytes, messages
}

// losses says what is lost when the process leaves at once. It may be called from any goroutine
// until the consumer is closed.
func losses(r sluice.Consumer) string {
	if r.Segment().Geometry().Mode == layout.ModeRing {
		return "what was not released is delivered to the next consumer"
	}
	seen, err := sluice.Stats(r)
	switch {
	case err != nil || seen.Producer.Alive:
		return "the producer sends again what was not released"
	case seen.Depth() == 0:
		return "nothing is lost"
	}
	return "what was not released is lost with the producer, which has died"
}

// writeOff counts what nobody will ever take, now that this consumer takes no more, and returns
// how many messages that are: the last report has them. What is in a ring is kept for the next
// consumer.
func writeOff(r sluice.Consumer) (lost uint64) {
	if t, ok := r.(*transfer.Receiver); ok {
		_ = shm.Guard(func() error { lost = t.WriteOff(); return nil }) // Close says what is wrong
	}
	return lost
}

// unread returns how many messages a closed consumer has left for the next one, whether or not
// a producer is there: a ring keeps them.
func unread(r sluice.Consumer) uint64 {
	if r.Segment().Geometry().Mode == layout.ModeTransfer {
		return 0 // they are the producer's
	}
	return r.Unread()
}
