package main

import (
	"context"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/report"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/shm"
	"sluice/transfer"
)

// open waits for the segment and opens it in its mode. rep prints each end of a stream that
// --follow continues after, and how many messages were dropped while no consumer was there.
func open(ctx context.Context, common cli.Common, opt options, rep *report.Reporter) (sluice.Consumer, error) {
	listener, err := systemd.Listener()
	if err != nil {
		return nil, err
	}
	if listener == nil && common.Socket != "" && (common.Mode == layout.ModeTransfer || opt.socketGiven) {
		if err := transfer.CheckSocket(common.Socket); err != nil { // before it waits for a producer
			return nil, cli.WithSegment(common.Name, err)
		}
	}
	return sluice.Open(ctx, common.Name, sluice.ConsumerOptions{
		Mode: common.Mode, Access: common.Access, Keep: common.Keep, Follow: opt.follow, OnEnd: rep.Ended, OnMissed: rep.Missed,
		Replaceable: listener == nil, // a listener is for one segment
		Spin:        common.Spin, Populate: common.Populate, Socket: common.Socket, Listener: listener,
	})
}

// lossReport describes what is lost when the process exits at once. It may be called from any
// goroutine until the consumer is closed.
func lossReport(r sluice.Consumer) string {
	if r.Segment().Geometry().Mode == layout.ModeRing {
		return "unreleased messages are delivered to the next consumer"
	}
	seen, err := sluice.Stats(r)
	switch {
	case err != nil || seen.Producer.Alive:
		return "the producer resends unreleased messages"
	case seen.Depth() == 0:
		return "nothing is lost"
	}
	return "unreleased messages are lost because the producer has died"
}

// writeOff counts the messages that are lost when this consumer closes, before the last report,
// and returns their number. Messages in a ring are kept for the next consumer.
func writeOff(r sluice.Consumer) (lost uint64) {
	if t, ok := r.(*transfer.Receiver); ok {
		_ = shm.Guard(func() error { lost = t.WriteOff(); return nil }) // Close returns the error
	}
	return lost
}

// unread returns how many messages of a closed consumer remain in the ring for the next one,
// with or without a producer.
func unread(r sluice.Consumer) uint64 {
	if r.Segment().Geometry().Mode == layout.ModeTransfer {
		return 0 // the producer has them
	}
	return r.Unread()
}
