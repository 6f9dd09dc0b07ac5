// Command consumer takes messages out of a segment in /dev/shm and drops,
// checks or writes them. It waits while the ring is empty, and shows it.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/internal/pace"
	"sluice/internal/report"
	"sluice/internal/service"
	"sluice/internal/sink"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func main() {
	os.Exit(command.Main(command.App{
		Name:  "consumer",
		Usage: "take the messages of a producer, in either mode",
		About: "Takes messages as they come and drops them, checks them, or writes them to a file.\n" +
			"Start a producer with the same --name, before or after.",
		Examples: []string{
			"consumer                     take everything, show the metrics",
			"consumer --work 20ms         be slow, and see the producer wait",
			"consumer --verify            check order, number and content of generated messages",
			"consumer --output copy.iso   write what the producer read",
			"consumer --output - | wc -l  the same, into a pipe",
			"consumer --follow            stay when a producer ends, for the next one",
		},
		Flags: append(command.CommonFlags(), flags()...), File: "output",
		Run: run,
	}))
}

func run(ctx context.Context, c *cli.Context) (err error) {
	common, err := command.ParseCommon(c)
	if err != nil {
		return err
	}
	opt, err := parse(c)
	if err != nil {
		return err
	}
	tell := service.New(ctx, layout.Consumer, "waiting for a producer to make the segment")
	ctx, stop := command.WithDuration(ctx, common.Duration)
	defer stop()

	if opt.output != "" { // a bad path need not wait for a producer
		if err := sink.CheckOutput(opt.output); err != nil {
			return command.Named(common.Name, err)
		}
	}
	rep := report.Start(report.Options{
		Role: layout.Consumer, Name: common.Name, Mode: common.Mode, Interval: common.Report, JSON: common.JSON, Out: os.Stderr, Journal: command.InJournal(), Total: -1,
	})
	r, err := open(ctx, common, opt)
	if err != nil {
		if err = command.Orderly(err); err == nil || common.JSON {
			rep.Finish() // stopped while it waited for a producer; a program wants a last line
		}
		return err
	}
	var check *sink.Verify
	err = rep.Attach(r.Segment())
	if err == nil && opt.verify {
		check, err = newCheck(r.Segment())
	}
	if err == nil {
		tell.Ready(r.Segment())
		err = receive(ctx, r, check, opt, common)
	}
	r.writeOff()
	rep.Finish()
	if check != nil && err == nil {
		rep.Verified(check.Checked)
	}
	alone := !r.Segment().Alive(layout.Producer)
	tell.Detach()
	unread, closeErr := r.leave()
	if alone {
		rep.Left(unread, false)
	}
	return errors.Join(command.Named(common.Name, err), closeErr)
}

// newCheck expects the message that this segment has not delivered yet: what was
// lost with a producer will not come. Dropped messages leave numbers out, nobody
// knows before which.
func newCheck(seg *shm.Segment) (*sink.Verify, error) {
	seen, err := pressure.Observe(seg)
	return sink.NewVerify(seen.Consumed+seen.Lost, seen.Dropped == 0), err
}

// receive moves messages into the sinks until the producer has ended.
func receive(ctx context.Context, r receiver, check *sink.Verify, opt options, common command.Common) error {
	ctx, stop := draining(ctx, r.Segment(), opt.drain)
	defer stop()
	var into sink.Sinks
	if check != nil {
		into = append(into, check)
	}
	if opt.output != "" {
		out, err := sink.OpenOutput(ctx, opt.output, func() layout.Framing { return opt.framingFor(r.Framing()) })
		if err != nil {
			return err
		}
		into = append(into, out)
	}
	lim := sink.Limits{Count: common.Count, Pace: pace.New(common.Rate, 1), Work: opt.work}
	lim.HoldBytes, lim.HoldMessages = r.hold()
	err := shm.Guard(func() error { return sink.Drain(ctx, r, into, lim) })
	if errors.Is(err, io.EOF) { // the producer's end: ring.ErrClosed, transfer.ErrClosed
		err = nil
	}
	return errors.Join(command.Orderly(err), into.Close())
}
