package main

import (
	"context"
	"errors"
	"io"
	"os"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/endpoint"
	"sluice/internal/replace"
	"sluice/internal/report"
	"sluice/internal/sink"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// receiver receives from one segment, and from those that replace it.
type receiver struct {
	settings

	from     sluice.Consumer // of the present segment
	out      *sink.Output    // nil without --output, and until there is a segment
	waits    sink.WaitTime   // of out
	received uint64          // from the segments before
}

// segment waits for the segment and receives from it until the stream has ended. It prints its
// reports. next says that another segment has replaced it, or will with --follow.
func (r *receiver) segment(ctx context.Context) (next bool, err error) {
	common, opt := r.common, r.opt
	rep := report.Start(report.Options{
		Role: layout.Consumer, Name: common.Name, Mode: common.Mode, Interval: common.Report, JSON: common.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: ctx.Done(), Total: -1,
	})
	stopNote := cli.NoteWaiting("consumer", common.Name)
	r.from, err = open(ctx, common, opt, rep)
	stopNote()
	if err != nil {
		if err = cli.IgnoreStop(err); err == nil || common.JSON {
			rep.Finish() // stopped while it waited for a producer; with JSON there is always a last line
		}
		return false, err
	}
	seg := r.from.Segment()
	cli.SetLossReport(func() string { return lossReport(r.from) })
	var check *sink.Verify
	seen, err := pressure.Observe(seg)
	err = errors.Join(err, rep.Attach(seg, r.from.Released))
	if err == nil && opt.verify {
		check, err = newCheck(seg)
	}
	if err == nil {
		r.notifier.Ready(seg)
		err = r.receive(check, rep)
	}
	if errors.Is(err, shm.ErrRemoved) && ctx.Err() == nil && (opt.follow || replace.Done(seg)) {
		next, err = true, nil
	}
	unreceived := writeOff(r.from)
	if lost, lookErr := lostSince(seen, seg); lost > 0 && lookErr == nil && !errors.Is(err, layout.ErrIncomplete) && !opt.follow {
		// Unlike the hint of the output's error: they are not kept for the next consumer.
		err = cli.WithHint(err, "unwritten messages are lost because the producer has died: restart both sides")
		incomplete := incompleteError(lost, unreceived)
		rep.EndedAs(incomplete)
		switch {
		case unreceived > 0 && ctx.Err() != nil:
			incomplete = cli.WithHint(incomplete, "%s", drainHint(opt.drain))
		case opt.output == "":
			incomplete = cli.WithHint(incomplete, restartHint)
		}
		err = errors.Join(err, incomplete)
	} else if endpoint.EndOf(err) == layout.EndDisconnected {
		err = cli.WithHint(err, disconnectedHint)
	} else if opt.output == "" && errors.Is(err, layout.ErrIncomplete) {
		err = cli.WithHint(err, restartHint)
	}
	if next {
		rep.Following()
	}
	rep.Finish()
	if check != nil {
		err = errors.Join(err, verifyResult(check, seg, rep, err == nil || errors.Is(err, layout.ErrIncomplete)))
	}
	alone := seg.Absent(layout.Producer)
	if next {
		r.notifier.Wait("waiting for the next segment")
	} else {
		r.notifier.Detach()
	}
	cli.SetLossReport(nil)
	r.received += r.from.Released()
	closeErr := r.from.Close()
	if alone {
		rep.Left(unread(r.from), layout.EndNone)
	}
	err = errors.Join(cli.WithSegment(common.Name, err), closeErr)
	return next && err == nil, err
}

// receive moves messages into the sinks until the stream has ended. It passes the end of the
// stream and the time that the output blocked to rep.
func (r *receiver) receive(check *sink.Verify, rep *report.Reporter) error {
	seg := r.from.Segment()
	defer r.drain.watch(func() (alive, waiting bool) { return producerState(seg) })()
	ctx := r.drain.ctx
	var into sink.Sinks
	if check != nil {
		into = append(into, check)
	}
	if r.opt.output != "" {
		rep.OutputWait(r.waits.Total)
		if err := r.openOutput(ctx); err != nil {
			return err
		}
		into = append(into, r.out)
	}
	lim := sink.Limits{Rate: r.rate, Work: r.opt.work}
	if r.common.Count > 0 {
		lim.Count = r.common.Count - r.received
	}
	lim.HoldBytes, lim.HoldMessages = sink.MaxHeld(seg)
	err := shm.Guard(func() error { return sink.Drain(ctx, r.from, into, lim) })
	switch {
	case errors.Is(err, io.EOF): // the end of the stream
		err = nil
		rep.EndedAs(nil)
	case errors.Is(err, layout.ErrIncomplete):
		rep.EndedAs(err)
	}
	return cli.IgnoreStop(err)
}

// openOutput opens the output, once there is a segment.
func (r *receiver) openOutput(ctx context.Context) (err error) {
	if r.out != nil {
		return nil
	}
	defer cli.NoteNoReader("consumer", r.common.Name, r.opt.output)()
	r.out, err = sink.OpenOutput(ctx, r.opt.output, func() layout.Framing { return cli.OutputFraming(r.opt.framing, r.from.Framing(), r.opt.output) }, &r.waits)
	return err
}

// close closes the output.
func (r *receiver) close() error {
	if r.out == nil {
		return nil
	}
	return cli.WithSegment(r.common.Name, r.out.Close())
}
