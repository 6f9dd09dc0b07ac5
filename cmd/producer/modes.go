package main

import (
	"context"
	"errors"
	"fmt"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/source"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
	"sluice/transfer"
)

// open creates the producer that the flags ask for.
func open(ctx context.Context, common cli.Common, opt options) (sluice.Producer, error) {
	with := sluice.ProducerOptions{
		BlockTimeout: opt.blockTimeout,
		Mode:         common.Mode, Access: common.Access, Keep: common.Keep, Fresh: opt.fresh, Framing: opt.framing,
	}
	if common.Mode == layout.ModeRing {
		with.Capacity, with.Slots, with.OnFull, with.Spin, with.Populate = opt.capacity, opt.slots, opt.onFull, common.Spin, common.Populate
		if opt.input == "" {
			with.SlotSize = uint64(opt.size)
		}
	} else {
		with.Limit, with.OnLimit, with.ResumeAt = opt.limit, opt.onLimit, opt.resumeAt
		with.Buffer, with.Recycle, with.Socket = opt.buffer, opt.recycle, common.Socket
	}
	return sluice.Create(ctx, common.Name, with)
}

// maxBatch returns how much to publish together: little enough that it stays in the processor's
// first cache, and at most an eighth of what the ring may hold, so that the consumer has messages
// meanwhile.
func maxBatch(g layout.Geometry) source.Batch {
	b := source.Batch{Messages: 128, Bytes: 16 << 10}
	if g.Fixed() {
		b.Messages = 512
	}
	if g.Mode == layout.ModeRing {
		b.Bytes = int(min(uint64(b.Bytes), g.Capacity/8))
	}
	if g.Slots > 0 {
		b.Messages = int(max(1, min(uint64(b.Messages), g.Slots/8)))
	}
	return b
}

// socketError returns why no consumer can listen at --socket.
func socketError(common cli.Common) error {
	if common.Mode != layout.ModeTransfer || common.Socket == "" {
		return nil
	}
	return transfer.CheckSocket(common.Socket)
}

// checkSocket is socketError before the start. For a missing directory it only prints a warning:
// the directory may be created before the consumer is started.
func checkSocket(common cli.Common) error {
	switch err := socketError(common); {
	case errors.Is(err, transfer.ErrNoDirectory):
		cli.Warn("producer", common.Name, err.Error(), cli.NoDirectoryHint+"; the consumer fails without it")
		return nil
	case errors.Is(err, transfer.ErrSharedDirectory):
		return nil // for the consumer to judge: it may run as another user, or get its socket from systemd
	default:
		return cli.WithSegment(common.Name, err)
	}
}

// deliver waits until the sent messages are not lost when this process exits. A ring keeps them;
// in a transfer they must be delivered, and with withEnd the end of the stream too.
func deliver(ctx context.Context, w sluice.Producer, withEnd bool) error {
	s, ok := w.(*transfer.Sender)
	if !ok {
		return nil
	}
	if withEnd {
		s.DeliverEnd()
	}
	return s.Shutdown(ctx)
}

// undelivered returns how many messages deliver will wait for, and whether it also waits for a
// consumer that receives the end.
func undelivered(w sluice.Producer, withEnd bool) (n uint64, waits bool) {
	if w.Segment().Geometry().Mode == layout.ModeRing {
		return 0, false
	}
	_ = shm.Guard(func() error { n = w.Unread(); return nil }) // deliver returns the error
	return n, withEnd
}

const nothingLost = "no sent message is lost"

// lossReport returns a function that stops a producer from sending and describes what is lost
// when the process exits at once. It may be called once, from any goroutine, until the producer
// is closed.
func lossReport(w sluice.Producer, in *source.Input) func() string {
	return func() string {
		lost := lostFromRing
		if s, ok := w.(*transfer.Sender); ok {
			lost = func(*shm.Segment) string { return lostFromTransfer(s) }
		}
		text := lost(w.Segment())
		if in != nil && in.Size() < 0 {
			text += "; input that was read but not sent is lost"
		}
		return text
	}
}

func lostFromRing(seg *shm.Segment) string {
	seen, err := pressure.Observe(seg)
	switch {
	case err != nil:
		return "the segment was truncated, so what is lost is not known"
	case seen.Depth() == 0:
		return nothingLost
	case errors.Is(seg.Check(), shm.ErrRemoved):
		return "the messages in the ring are lost: the segment was removed"
	}
	return "the messages in the ring are kept for the next consumer"
}

func lostFromTransfer(s *transfer.Sender) string {
	most, are := "", "are"
	n, exact := s.StopSending()
	if !exact {
		most = "at most "
	}
	switch n {
	case 0:
		if seen, err := sluice.Stats(s); err == nil && seen.Depth() > 0 {
			return fmt.Sprintf("all messages were handed over; lost if the consumer exits before it receives them: %s", format.Messages(seen.Depth()))
		}
		return nothingLost
	case 1:
		are = "is"
	}
	return fmt.Sprintf("%s%s that had not been handed over %s lost", most, format.Messages(n), are)
}

// unread returns how many messages of a closed producer remain for the next consumer.
func unread(w sluice.Producer) uint64 {
	if w.Segment().Geometry().Mode == layout.ModeTransfer {
		return 0 // undelivered messages are lost; Close returns an error for them
	}
	return w.Unread()
}
