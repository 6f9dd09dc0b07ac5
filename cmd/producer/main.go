// Command producer puts messages into a segment in /dev/shm: generated ones, or
// the contents of a file. It waits while the ring is full, and shows it.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/internal/pace"
	"sluice/internal/report"
	"sluice/internal/service"
	"sluice/internal/source"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func main() {
	os.Exit(command.Main(command.App{
		Name:  "producer",
		Usage: "put messages into a bounded ring in shared memory, or hand them over a socket",
		About: "Takes messages from a file, or makes them up, and waits while the ring is full.\n" +
			"Start a consumer with the same --name, before or after.",
		Examples: []string{
			"producer                                  numbered messages, as fast as the consumer takes them",
			"producer --slots 8 --rate 200             at most 8 in flight, 200 a second",
			"producer --input big.iso --capacity 4MiB  a file, in chunks",
			"journalctl -f | producer --input -        lines, as they come",
			"producer --on-full drop --rate 1e6        lose messages rather than wait",
			"producer --mode transfer --limit 64MiB    never wait: let the queue grow, up to a limit",
		},
		Flags: append(command.CommonFlags(), flags()...), File: "input",
		Run: run,
	}))
}

// run opens the segment, moves messages, and closes it, with reports all the
// way.
func run(ctx context.Context, c *cli.Context) (err error) {
	common, err := command.ParseCommon(c)
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
	tell := service.New(ctx, layout.Producer, "waiting for its input")
	ctx, stop := command.WithDuration(ctx, common.Duration)
	defer stop()

	var in *source.Input
	total := int64(-1)
	if opt.input != "" {
		if in, err = source.OpenInput(ctx, opt.input); err != nil {
			return command.Named(common.Name, err)
		}
		defer in.Close()
		if common.Count == 0 {
			total = in.Size()
		}
	}
	w, err := open(ctx, common, opt)
	if err != nil {
		return command.Orderly(err)
	}
	move, err := plan(w, in, opt, source.Limits{Count: common.Count, Pace: pace.New(common.Rate, opt.burst)})
	if err != nil {
		_, closeErr := w.leave(ctx)
		return errors.Join(err, closeErr)
	}
	rep := report.Start(report.Options{
		Role: layout.Producer, Name: common.Name, Mode: common.Mode, Interval: common.Report, JSON: common.JSON, Out: os.Stderr, Journal: command.InJournal(), Total: total,
	})
	rep.Resumed(w.resumed())
	err = rep.Attach(w.Segment())
	if err == nil {
		tell.Ready(w.Segment())
		err = shm.Guard(func() error { return move(ctx) })
	}
	ended := err == nil && in != nil && ctx.Err() == nil
	if ctx.Err() == nil || w.Segment().Alive(layout.Consumer) { // else it gives up at once
		rep.Delivering(w.queued())
	}
	err = errors.Join(command.Named(common.Name, err), w.deliver(ctx, ended))
	if in != nil {
		rep.Unsent(in.Unsent())
	}
	rep.Finish()
	alone := !w.Segment().Alive(layout.Consumer)
	tell.Detach()
	unread, leaveErr := w.leave(ctx)
	if alone {
		rep.Left(unread, ended)
	}
	return errors.Join(err, leaveErr)
}

// plan returns what moves the messages, or what is wrong with the flags now that
// the ring is known.
func plan(w sender, in *source.Input, opt options, lim source.Limits) (func(context.Context) error, error) {
	most := w.MaxMessage()
	if in == nil {
		if opt.size > most {
			return nil, command.Usage("--size %d: at most %d fit into the ring; choose a larger --capacity", opt.size, most)
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
		if opt.chunk > most && opt.chunkSet {
			return nil, command.Usage("--chunk %d: at most %d fit into the ring; choose a larger --capacity", opt.chunk, most)
		}
		cut = source.Chunks(in, min(opt.chunk, most))
	}
	return func(ctx context.Context) error { return source.Copy(ctx, w, in, cut, lim) }, nil
}
