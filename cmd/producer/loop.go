package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/ratelimit"
	"sluice/internal/source"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// target is where the messages of a source go: one segment, or the rings of a fan-out.
type target struct {
	source.Sender
	segments   []*shm.Segment
	maxMessage int
	// first returns the sequence number of the first generated message. It continues those of
	// the segments, so that consumers can verify them across restarts of the producer.
	first func() (uint64, error)
}

func targetOf(w sluice.Producer) target {
	return target{w, []*shm.Segment{w.Segment()}, w.MaxMessage(), func() (uint64, error) {
		seen, err := pressure.Observe(w.Segment())
		return seen.Produced + seen.Dropped, err
	}}
}

// mode returns the mode of all segments.
func (to *target) mode() layout.Mode { return to.segments[0].Geometry().Mode }

// batch returns how much to publish together, so that each ring has room for some of that.
func (to *target) batch() source.Batch {
	b := maxBatch(to.segments[0].Geometry())
	for _, seg := range to.segments[1:] {
		other := maxBatch(seg.Geometry())
		b = source.Batch{Messages: min(b.Messages, other.Messages), Bytes: min(b.Bytes, other.Bytes)}
	}
	return b
}

// sizeHint returns the hint for a message that is too large.
func (to *target) sizeHint() string {
	if to.mode() == layout.ModeRing {
		return "choose a larger --capacity"
	}
	var file unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_FSIZE, &file) == nil && file.Cur < uint64(to.maxMessage+2*os.Getpagesize()) {
		return "allow larger files (ulimit -f)"
	}
	return "choose a larger --limit"
}

// newLoop returns the function that sends the messages. Its errors are about flags that do not
// fit the segment. resetDuration says when --duration is over, which an open-loop load counts from
// the start of its schedule.
func newLoop(to target, in *source.Input, opt options, common cli.Common, resetDuration func(time.Duration)) (func(context.Context) error, error) {
	send, cut, err := newSource(to, in, opt)
	if err != nil {
		return nil, err
	}
	lim := source.Limits{Count: common.Count, Pace: ratelimit.New(opt.load), Batch: to.batch()}
	if !opt.openLoop {
		return func(ctx context.Context) error { return send(ctx, lim) }, nil
	}
	load := source.NewOpenLoop(to.Sender, to.segments, opt.load, common.Count, common.Duration, cut)
	lim.Pace = load
	return func(ctx context.Context) error {
		return load.Run(resetDuration, func() error { return send(ctx, lim) })
	}, nil
}

// newSource returns the function that generates messages, or sends those of the input, and what
// cuts the input into messages.
func newSource(to target, in *source.Input, opt options) (send func(context.Context, source.Limits) error, cut source.Cutter, err error) {
	most := to.maxMessage
	if in == nil {
		if err := opt.checkFits("size", uint64(most)); err != nil {
			return nil, nil, cli.WithHint(err, "%s", to.sizeHint())
		}
		first, err := to.first()
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, lim source.Limits) error {
			return source.Generate(ctx, to.Sender, first, opt.size, lim)
		}, nil, nil
	}
	switch opt.framing {
	case layout.FramingLines:
		cut = source.Lines(in, most)
	case layout.FramingLength:
		cut = source.Lengths(in, most)
	default:
		if err := opt.checkFits("chunk", uint64(most)); err != nil {
			return nil, nil, cli.WithHint(err, "%s", to.sizeHint())
		}
		cut = source.Chunks(in, min(opt.chunk, most))
	}
	return func(ctx context.Context, lim source.Limits) error {
		return withInputHint(source.Copy(ctx, to.Sender, in, cut, lim), opt.framing, to)
	}, cut, nil
}

// withInputHint adds a hint to an error about a message that is too large, or about input that
// does not have the given framing.
func withInputHint(err error, framing layout.Framing, to target) error {
	larger, or := to.sizeHint(), ", or "
	if to.maxMessage >= maxMessage(to.mode()) {
		larger, or = "", ""
	}
	switch {
	case errors.Is(err, source.ErrTooLarge) && framing == layout.FramingLength:
		return cli.WithHint(err, "%s%sif the input has no length before each message, choose --framing lines or raw", larger, or)
	case errors.Is(err, source.ErrTooLarge):
		return cli.WithHint(err, "%s%ssplit the input into chunks with --framing raw", larger, or)
	case errors.Is(err, source.ErrCutShort):
		return cli.WithHint(err, "check the input; if it has no length before each message, choose --framing lines or raw")
	}
	return err
}
