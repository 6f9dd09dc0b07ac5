package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

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
	return sluice.Create(ctx, common.Name, sluice.ProducerOptions{
		Mode: common.Mode, Access: common.Access, Keep: common.Keep, Fresh: opt.fresh, Framing: opt.framing,
		Capacity: opt.capacity, Slots: opt.slots, OnFull: opt.onFull, Spin: common.Spin,
		Limit: opt.limit, Buffer: opt.buffer, Recycle: opt.recycle, Socket: common.Socket,
	})
}

// allowLarger says what to do for a message that is too large.
func allowLarger(w sluice.Producer) string {
	if w.Segment().Geometry().Mode == layout.ModeRing {
		return "choose a larger --capacity"
	}
	var file unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_FSIZE, &file) == nil && file.Cur < uint64(w.MaxMessage()+2*os.Getpagesize()) {
		return "allow larger files (ulimit -f)"
	}
	return "choose a larger --limit"
}

// deliver waits until what is sent is safe from the end of this process. A ring keeps it; a
// transfer delivers it, and the end of the stream too, if that is to be told.
func deliver(ctx context.Context, w sluice.Producer, tellEnd bool) error {
	s, ok := w.(*transfer.Sender)
	if !ok {
		return nil
	}
	if tellEnd {
		s.DeliverEnd()
	}
	return s.Shutdown(ctx)
}

// undelivered returns how many messages deliver will wait for, and whether it waits for a
// consumer to tell it of the end as well.
func undelivered(w sluice.Producer, tellEnd bool) (n uint64, waits bool) {
	if w.Segment().Geometry().Mode == layout.ModeRing {
		return 0, false
	}
	_ = shm.Guard(func() error { n = w.Unread(); return nil }) // deliver says what is wrong
	return n, tellEnd
}

const nothingLost = "nothing that was sent is lost"

// losses returns what stops a producer where it is, and says what is lost when the process
// leaves at once. It may be called from any goroutine, once, until the producer is closed.
func losses(w sluice.Producer, in *source.Input) func() string {
	return func() string {
		lost := lostFromRing
		if s, ok := w.(*transfer.Sender); ok {
			lost = func(*shm.Segment) string { return lostFromTransfer(s) }
		}
		text := lost(w.Segment())
		if in != nil && in.Size() < 0 {
			text += "; what was read from the input and not sent is lost"
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
		return "what is in the ring is lost: the segment was removed"
	}
	return "what is in the ring is kept for the next consumer"
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
			return fmt.Sprintf("all that was sent was handed over; lost if the consumer ends before it takes it: %s", format.Messages(seen.Depth()))
		}
		return nothingLost
	case 1:
		are = "is"
	}
	return fmt.Sprintf("%s%s that had not been handed over %s lost", most, format.Messages(n), are)
}

// unread returns how many messages a closed producer has left for the next consumer.
func unread(w sluice.Producer) uint64 {
	if w.Segment().Geometry().Mode == layout.ModeTransfer {
		return 0 // none: they are lost, which Close says
	}
	return w.Unread()
}
