// Command producer puts messages into a segment in /dev/shm: generated ones, or
// the contents of a file. It waits while the ring is full, and shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/ratelimit"
	"sluice/internal/report"
	"sluice/internal/source"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func main() {
	os.Exit(cli.Main(cli.App{
		Name:  "producer",
		Usage: "put messages into a bounded ring in shared memory, or hand them over a socket",
		About: "Takes messages from a file, or makes them up, and waits while the ring is full.\n" +
			"Start a consumer with the same --name, before or after. What a killed producer had\n" +
			"read from a pipe and not sent is lost; all that was in the ring is not.",
		Examples: []string{
			"producer                                  numbered messages, as fast as the consumer takes them",
			"producer --slots 8 --rate 200             at most 8 in flight, 200 a second",
			"producer --input big.iso --capacity 4MiB  a file, in chunks",
			"journalctl -f | producer --input -        lines, as they come",
			"producer --on-full drop --rate 1e6        lose messages rather than wait",
			"producer --mode transfer --limit 64MiB    never wait: let the queue grow, up to a limit",
		},
		Flags: append(cli.CommonFlags("ring"), flags()...), File: "input",
		Run: run,
	}))
}

// run opens the segment, moves messages, and closes it, with reports all the
// way.
func run(ctx context.Context, c *urfave.Context) (err error) {
	common, err := cli.ParseCommon(c)
	if err != nil {
		return err
	}
	if common.Mode == 0 {
		common.Mode = layout.ModeRing
	}
	opt, err := parse(c, common.Mode)
	if err != nil {
		return err
	}
	tell := systemd.New(ctx, layout.Producer, "waiting for its input")
	signalled := ctx
	ctx, stop := cli.WithDuration(ctx, common.Duration)
	defer stop()

	var in *source.Input
	total := int64(-1)
	if opt.input != "" {
		if in, err = source.OpenInput(ctx, opt.input); err != nil {
			return cli.WithSegment(common.Name, err)
		}
		defer in.Close()
		if common.Count == 0 {
			total = in.Size()
		}
	}
	w, err := open(ctx, common, opt)
	if err != nil {
		return adviseOpening(cli.IgnoreStop(err), common, opt)
	}
	cli.SetLossReport(losses(w, in))
	move, err := plan(w, in, opt, source.Limits{Count: common.Count, Pace: ratelimit.New(common.Rate, opt.burst)})
	if err != nil {
		cli.SetLossReport(nil)
		w.EndAs(layout.EndFailed)
		closeErr := w.Close()
		return errors.Join(err, closeErr)
	}
	rep := report.Start(report.Options{
		Role: layout.Producer, Name: common.Name, Mode: common.Mode, Interval: common.Report, JSON: common.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: ctx.Done(), Total: total,
	})
	rep.Resumed(w.Unread(), !w.Segment().Absent(layout.Consumer))
	err = rep.Attach(w.Segment(), w.Published)
	if err == nil {
		tell.Ready(w.Segment())
		err = shm.Guard(func() error { return move(ctx) })
	}
	endless := in == nil && common.Count == 0
	end := endOf(err, endless)
	w.EndAs(end)
	toTell := end == layout.EndComplete && in != nil // something to deliver even when there is no message
	err = advise(cli.WithSegment(common.Name, err), w.Segment(), opt)
	// Else it gives up at once, or nobody will ever come.
	if taken := meets(w.Segment()); taken || ctx.Err() == nil && w.Segment().Check() == nil {
		queued, tells := undelivered(w, toTell)
		if queued == 0 && tells && !taken {
			rep.WaitingToTell(common.Duration)
		}
		rep.Delivering(queued, taken, sooner(taken, signalled.Err() != nil, common.Duration))
	}
	if lost := deliver(ctx, w, toTell); lost != nil {
		end = layout.EndFailed
		err = errors.Join(err, advise(lost, w.Segment(), opt))
	}
	tells := telling(w.Segment(), end, endless && signalled.Err() != nil)
	if tells != layout.EndNone {
		w.KeepEnd()
	}
	rep.EndingAs(end)
	if in != nil {
		rep.Unsent(in.Unsent())
	}
	rep.Finish()
	alone := w.Segment().Absent(layout.Consumer)
	if tells != layout.EndNone && alone { // it may have been told while the last report was written
		tells = telling(w.Segment(), end, false)
	}
	tell.Detach()
	cli.SetLossReport(nil)
	closeErr := w.Close()
	if alone {
		rep.Left(unread(w), tells)
	}
	return errors.Join(err, closeErr)
}

// sooner says what ends a delivery before everything is taken. Without a consumer that is
// the first thing that asks the producer to stop, with one a second signal.
func sooner(consumer, signalled bool, duration time.Duration) string {
	switch {
	case signalled:
		return "stop it again to lose what is left"
	case consumer:
		return "stop it twice to lose what is left"
	case duration > 0:
		return fmt.Sprintf("until --duration %v is over; what is left then is lost", duration)
	}
	return "stop it to lose what is left"
}

// endOf returns how the stream has ended, given what ended the loop. A load that is
// generated without a count has no end of its own: whenever it is stopped, it is
// complete.
func endOf(err error, endless bool) layout.End {
	switch {
	case err == nil, endless && cli.IgnoreStop(err) == nil:
		return layout.EndComplete
	case cli.IgnoreStop(err) == nil:
		return layout.EndStopped
	}
	return layout.EndFailed
}

// plan returns what moves the messages, or what is wrong with the flags now that
// the ring is known.
func plan(w sluice.Producer, in *source.Input, opt options, lim source.Limits) (func(context.Context) error, error) {
	most := w.MaxMessage()
	if in == nil {
		if err := opt.fits("size", uint64(most)); err != nil {
			return nil, cli.WithHint(err, "%s", allowLarger(w))
		}
		seen, err := pressure.Observe(w.Segment())
		if err != nil {
			return nil, err
		}
		// Go on after all numbers that this segment has seen, so that a
		// consumer can check across restarts.
		first := seen.Produced + seen.Dropped
		return func(ctx context.Context) error { return source.Generate(ctx, w, first, opt.size, lim) }, nil
	}
	var cut source.Cutter
	switch opt.framing {
	case layout.FramingLines:
		cut = source.Lines(in, most)
	case layout.FramingLength:
		cut = source.Lengths(in, most)
	default:
		if err := opt.fits("chunk", uint64(most)); err != nil {
			return nil, cli.WithHint(err, "%s", allowLarger(w))
		}
		cut = source.Chunks(in, min(opt.chunk, most))
	}
	return func(ctx context.Context) error {
		return withRemedy(source.Copy(ctx, w, in, cut, lim), opt.framing, w)
	}, nil
}

// withRemedy says what to do about input that does not fit, or is not framed as was
// said.
func withRemedy(err error, framing layout.Framing, w sluice.Producer) error {
	larger, or := allowLarger(w), ", or "
	if w.MaxMessage() >= largest(w.Segment().Geometry().Mode) {
		larger, or = "", ""
	}
	switch {
	case errors.Is(err, source.ErrTooLarge) && framing == layout.FramingLength:
		return cli.WithHint(err, "%s%sif the input has no length before each message, choose --framing lines or raw", larger, or)
	case errors.Is(err, source.ErrTooLarge):
		return cli.WithHint(err, "%s%scut the input into chunks: --framing raw", larger, or)
	case errors.Is(err, source.ErrCutShort):
		return cli.WithHint(err, "check the input; if it has no length before each message, choose --framing lines or raw")
	}
	return err
}
