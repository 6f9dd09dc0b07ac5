// Command producer sends messages through a segment in /dev/shm: generated ones, or the
// contents of a file. It waits while the ring is full, and reports for how long.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/membarrier"
	"sluice/internal/report"
	"sluice/internal/source"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/shm"
)

func main() {
	os.Exit(cli.Main(cli.App{
		Name:  "producer",
		Usage: "send messages through a bounded ring in shared memory, or as buffers over a socket",
		About: "Reads messages from a file or generates them, and waits while the ring is full.\n" +
			"Start a consumer with the same --name, before or after it. When a producer is killed,\n" +
			"input that it had read from a pipe but not sent is lost; messages in the ring are not.",
		Examples: []string{
			"producer                                  numbered messages, as fast as the consumer receives them",
			"producer --slots 8 --rate 200             at most 8 in flight, 200 per second",
			"producer --rate 1000 --open-loop          a schedule that a full ring does not move",
			"producer --input big.iso --capacity 4MiB  a file, in chunks",
			"journalctl -f | producer --input -        lines, as they arrive",
			"producer --on-full drop --rate 1e6        drop messages instead of waiting",
			"producer --mode transfer --limit 64MiB    let the queue grow, and end at the limit",
			"producer -m transfer --on-limit block     let it grow to 1 GiB, then wait for the consumer",
		},
		Flags: append(cli.CommonFlags(cli.NameFlag("demo"), "ring"), flags()...), File: "input",
		Run: run,
	}))
}

// run creates or joins the segment, sends messages and closes it, and prints reports.
func run(ctx context.Context, c *urfave.Context) (err error) {
	membarrier.Prepare()
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
	if opt.to != nil {
		common.Name = "" // the default, which nothing is sent to
	}
	if err := checkSocket(common); err != nil {
		return err
	}
	notifier := systemd.New(ctx, layout.Producer, "waiting for its input")
	signalled := ctx
	duration := common.Duration
	if opt.openLoop && duration > 0 {
		duration = math.MaxInt64 // until its schedule starts, however long it takes to get there
	}
	ctx, resetDuration, stop := cli.WithDuration(ctx, duration)
	defer stop()

	var in *source.Input
	total := int64(-1)
	if opt.input != "" {
		if in, err = source.OpenInput(ctx, opt.input); err != nil {
			return cli.WithSegment(common.Name, err)
		}
		defer in.Close()
		if opt.openLoop && in.Size() < 0 {
			err := cli.UsageError("%s cannot be used with an input that is not a regular file", opt.flagSource("open-loop"))
			return cli.WithHint(err, "a message of a pipe is due when it arrives: leave it out, or write the input to a file first")
		}
		if common.Count == 0 {
			total = in.Size()
		}
	}
	if opt.to != nil {
		run := fanOutRun{common: common, opt: opt, in: in, notifier: notifier, resetDuration: resetDuration}
		return run.run(ctx, signalled)
	}
	w, err := open(ctx, common, opt)
	if err != nil {
		return withOpenHint(cli.IgnoreStop(err), common, opt)
	}
	warnFewSlots(common.Name, w.Segment().Geometry(), opt.slots)
	cli.SetLossReport(lossReport(w, in))
	move, err := newLoop(targetOf(w), in, opt, common, resetDuration)
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
		notifier.Ready(w.Segment())
		err = shm.Guard(func() error { return move(ctx) })
	}
	endless := in == nil && common.Count == 0
	end := endOf(err, endless)
	w.EndAs(end)
	deliverEnd := end == layout.EndComplete && in != nil // so that a consumer of an empty input ends
	err = withRunHint(cli.WithSegment(common.Name, err), w.Segment(), common, opt)
	// Otherwise deliver returns at once: nothing is waited for.
	if taken := hasConsumer(w.Segment()); taken || ctx.Err() == nil && w.Segment().Check() == nil {
		queued, waits := undelivered(w, deliverEnd)
		if queued == 0 && waits && !taken {
			rep.WaitingToTell(common.Duration)
		}
		rep.Delivering(queued, taken, abandonHint(taken, signalled.Err() != nil, common.Duration))
	}
	if lost := deliver(ctx, w, deliverEnd); lost != nil {
		end = layout.EndFailed
		err = errors.Join(err, withRunHint(lost, w.Segment(), common, opt))
	}
	pending := pendingEnd(w.Segment(), end, endless && signalled.Err() != nil)
	if pending != layout.EndNone {
		w.KeepEnd()
	}
	rep.EndingAs(end)
	if in != nil {
		rep.Discarded(in.Discarded())
	}
	rep.Finish()
	alone := w.Segment().Absent(layout.Consumer)
	if pending != layout.EndNone && alone { // a consumer may have seen the end during the last report
		pending = pendingEnd(w.Segment(), end, false)
	}
	notifier.Detach()
	cli.SetLossReport(nil)
	closeErr := w.Close()
	if alone {
		rep.Left(unread(w), pending)
	}
	return errors.Join(err, closeErr)
}

// abandonHint describes how to end a delivery early: without a consumer by the first signal or
// --duration, with one by the second signal.
func abandonHint(consumer, signalled bool, duration time.Duration) string {
	switch {
	case signalled:
		return "stop the producer again to discard the rest"
	case consumer:
		return "stop the producer twice to discard the rest"
	case duration > 0:
		return fmt.Sprintf("until --duration %v is over; the rest is then lost", duration)
	}
	return "stop the producer to discard the rest"
}

// endOf returns how the stream has ended, given the error of the loop. An endless stream
// (generated, without --count) is complete whenever it is stopped.
func endOf(err error, endless bool) layout.End {
	switch {
	case err == nil, endless && cli.IgnoreStop(err) == nil:
		return layout.EndComplete
	case cli.IgnoreStop(err) == nil:
		return layout.EndStopped
	}
	return layout.EndFailed
}
