// Command consumer takes messages out of a segment in /dev/shm and drops,
// checks or writes them. It waits while the ring is empty, and shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/ratelimit"
	"sluice/internal/report"
	"sluice/internal/sink"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func main() {
	os.Exit(cli.Main(cli.App{
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
		Flags: append(cli.CommonFlags("that of the segment"), flags()...), File: "output",
		Run: run,
	}))
}

func run(ctx context.Context, c *urfave.Context) (err error) {
	common, err := cli.ParseCommon(c)
	if err != nil {
		return err
	}
	opt, err := parse(c)
	if err != nil {
		return err
	}
	tell := systemd.New(ctx, layout.Consumer, "waiting for a producer to make the segment")
	ctx, stop := cli.WithDuration(ctx, common.Duration)
	defer stop()

	if opt.output != "" { // a bad path need not wait for a producer
		if err := sink.CheckOutput(opt.output); err != nil {
			return cli.WithSegment(common.Name, err)
		}
	}
	rep := report.Start(report.Options{
		Role: layout.Consumer, Name: common.Name, Mode: common.Mode, Interval: common.Report, JSON: common.JSON, Out: os.Stderr, Journal: cli.InJournal(), Stopping: ctx.Done(), Total: -1,
	})
	found := cli.NoteWaiting("consumer", common.Name)
	r, err := open(ctx, common, opt, rep.Ended)
	found()
	if err != nil {
		if err = cli.IgnoreStop(err); err == nil || common.JSON {
			rep.Finish() // stopped while it waited for a producer; a program wants a last line
		}
		return err
	}
	cli.SetLossReport(func() string { return losses(r) })
	var check *sink.Verify
	seen, err := pressure.Observe(r.Segment())
	err = errors.Join(err, rep.Attach(r.Segment(), r.Released))
	if err == nil && opt.verify {
		check, err = newCheck(r.Segment())
	}
	if err == nil {
		tell.Ready(r.Segment())
		err = receive(ctx, r, check, opt, common, rep)
	}
	untaken := writeOff(r)
	if lost, lookErr := lostSince(seen, r.Segment()); lost > 0 && lookErr == nil && !errors.Is(err, layout.ErrIncomplete) && !opt.follow {
		// What the output did not take is not kept for the next consumer.
		err = cli.WithHint(err, "what was not written is lost with the producer, which has died: start both sides again")
		incomplete := incompleteBy(lost, untaken)
		rep.EndedAs(incomplete)
		switch {
		case untaken > 0 && ctx.Err() != nil:
			incomplete = cli.WithHint(incomplete, "%s", drainHint(opt.drain))
		case opt.output == "":
			incomplete = cli.WithHint(incomplete, startAgain)
		}
		err = errors.Join(err, incomplete)
	} else if opt.output == "" && errors.Is(err, layout.ErrIncomplete) {
		err = cli.WithHint(err, startAgain)
	}
	rep.Finish()
	if check != nil {
		err = errors.Join(err, judge(check, r.Segment(), rep, err == nil || errors.Is(err, layout.ErrIncomplete)))
	}
	alone := r.Segment().Absent(layout.Producer)
	tell.Detach()
	cli.SetLossReport(nil)
	closeErr := r.Close()
	if alone {
		rep.Left(unread(r), layout.EndNone)
	}
	return errors.Join(cli.WithSegment(common.Name, err), closeErr)
}

const startAgain = "restart both sides for the whole stream"

// incompleteBy says that messages were lost with a producer that died. untaken of them
// might have been taken, had this consumer gone on: some may have been in its socket.
func incompleteBy(lost, untaken uint64) error {
	if untaken > 0 {
		return fmt.Errorf("%w: this consumer ended before it had taken what a producer that died has left; %s", layout.ErrIncomplete, report.Lost(lost))
	}
	return fmt.Errorf("%w: %s with a producer that died", layout.ErrIncomplete, report.Lost(lost))
}

// lostSince returns how many messages were lost since a segment was seen.
func lostSince(seen pressure.Snapshot, seg *shm.Segment) (uint64, error) {
	now, err := pressure.Observe(seg)
	return now.Lost - min(seen.Lost, now.Lost), err
}

// newCheck begins to check the messages of a segment from what its counters say now.
func newCheck(seg *shm.Segment) (*sink.Verify, error) {
	now, err := counts(seg)
	return sink.NewVerify(now), err
}

// judge returns the fault that check has found, if any. When there is none, and none of
// something else, it says what was checked.
func judge(check *sink.Verify, seg *shm.Segment, rep *report.Reporter, well bool) error {
	now, err := counts(seg)
	if err != nil {
		return err
	}
	err = check.Verdict(now)
	if err != nil && check.Damaged > 0 {
		err = cli.WithHint(err, "--verify is for generated messages: leave it out for those of a producer with --input")
	}
	if err != nil || !well {
		return err
	}
	dropped, lost := check.GivenUp(now)
	rep.Verified(check.Checked, dropped, lost)
	return nil
}

// counts is what the counters say now.
func counts(seg *shm.Segment) (sink.Counts, error) {
	seen, err := pressure.Observe(seg)
	return sink.Counts{Consumed: seen.Consumed, Dropped: seen.Dropped, Lost: seen.Lost}, err
}

// receive moves messages into the sinks until the producer has ended. It tells rep how the
// stream has ended, and how long the output holds it up.
func receive(ctx context.Context, r sluice.Consumer, check *sink.Verify, opt options, common cli.Common, rep *report.Reporter) error {
	ctx, stop := draining(ctx, r.Segment(), opt.drain)
	defer stop()
	var into sink.Sinks
	if check != nil {
		into = append(into, check)
	}
	if opt.output != "" {
		held := new(sink.Held)
		rep.OutputWait(held.For)
		opened := cli.NoteNoReader("consumer", common.Name, opt.output)
		out, err := sink.OpenOutput(ctx, opt.output, func() layout.Framing { return opt.framingFor(r.Framing()) }, held)
		opened()
		if err != nil {
			return err
		}
		into = append(into, out)
	}
	lim := sink.Limits{Count: common.Count, Pace: ratelimit.New(common.Rate, 1), Work: opt.work}
	lim.HoldBytes, lim.HoldMessages = maxHeld(r.Segment())
	err := shm.Guard(func() error { return sink.Drain(ctx, r, into, lim) })
	switch {
	case errors.Is(err, io.EOF): // the end of the stream
		err = nil
		rep.EndedAs(nil)
	case errors.Is(err, layout.ErrIncomplete):
		rep.EndedAs(err)
	}
	return errors.Join(cli.IgnoreStop(err), into.Close())
}
