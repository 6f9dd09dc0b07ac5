// Command consumer receives messages from a segment in /dev/shm and discards, checks or writes
// them. It waits while the ring is empty, and reports for how long.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/membarrier"
	"sluice/internal/ratelimit"
	"sluice/internal/report"
	"sluice/internal/schedule"
	"sluice/internal/sink"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func main() {
	os.Exit(cli.Main(cli.App{
		Name:  "consumer",
		Usage: "receive the messages of a producer, in either mode",
		About: "Receives messages and discards them, checks them, or writes them to a file.\n" +
			"Start a producer with the same --name, before or after it.",
		Examples: []string{
			"consumer                     receive everything, print metrics",
			"consumer --work 20ms         simulate a slow consumer: the producer waits",
			"consumer --verify            check order, number and content of generated messages",
			"consumer --output copy.iso   write what the producer read",
			"consumer --output - | wc -l  the same, into a pipe",
			"consumer --follow            wait for the next producer when one ends",
			"consumer --name a --name b   take from several rings, each its share",
			"consumer --name 'sensor-*'   the same, from all rings with such a name",
		},
		Flags: append(cli.CommonFlags(cli.NamesFlag("demo"), "that of the segment"), flags()...), File: "output",
		Run: run,
	}))
}

func run(ctx context.Context, c *urfave.Context) (err error) {
	membarrier.Prepare()
	common, err := cli.ParseCommon(c)
	if err != nil {
		return err
	}
	opt, err := parse(c, &common)
	if err != nil {
		return err
	}
	waiting := "waiting for a producer to create the segment"
	if common.Several() {
		waiting = "waiting for a producer to create a ring"
	}
	notifier := systemd.New(ctx, layout.Consumer, waiting)
	ctx, _, stop := cli.WithDuration(ctx, common.Duration)
	defer stop()

	if opt.output != "" { // before it waits for a producer
		if err := sink.CheckOutput(opt.output); err != nil {
			return cli.WithSegment(common.Name, err)
		}
	}
	run := settings{common, opt, notifier, ratelimit.New(schedule.Spec{Rate: common.Rate}), newDrainer(ctx, opt.drain)}
	if common.Several() {
		return receiveSeveral(ctx, run)
	}
	r := &receiver{settings: run}
	defer func() { err = errors.Join(err, r.close()) }()
	for {
		if next, err := r.segment(ctx); !next {
			return err
		}
	}
}

// settings are what a run of the command was asked for.
type settings struct {
	common   cli.Common
	opt      options
	notifier *systemd.Notifier
	rate     *ratelimit.Limiter
	drain    *drainer
}

const (
	restartHint      = "restart both sides for the whole stream"
	disconnectedHint = "start the consumer again to go on with the present messages, or use --follow; a faster one is not disconnected"
)

// incompleteError returns the error for messages that were lost with a producer that died. This
// consumer could have received unreceived of them.
func incompleteError(lost, unreceived uint64) error {
	if unreceived > 0 {
		return fmt.Errorf("%w: this consumer stopped before it had received all messages of a producer that died; %s", layout.ErrIncomplete, report.Lost(lost))
	}
	return fmt.Errorf("%w: %s with a producer that died", layout.ErrIncomplete, report.Lost(lost))
}

// lostSince returns how many messages were lost since the snapshot seen, or before it without a
// report: the consumer that had counted them was killed.
func lostSince(seen pressure.Snapshot, seg *shm.Segment) (uint64, error) {
	now, err := pressure.Observe(seg)
	return now.Lost - min(seen.Lost-seen.UntoldLost, now.Lost), err
}

// newCheck returns a Verify that starts at the present counters of a segment.
func newCheck(seg *shm.Segment) (*sink.Verify, error) {
	now, err := readCounts(seg)
	return sink.NewVerify(now), err
}

// verifyResult returns the fault that check has found. If there is none and ok is true, which
// means that the run had no other error, rep prints what was checked.
func verifyResult(check *sink.Verify, seg *shm.Segment, rep *report.Reporter, ok bool) error {
	now, err := readCounts(seg)
	if err != nil {
		return err
	}
	if err := verdictOf(check, now); err != nil || !ok {
		return err
	}
	dropped, lost := check.DroppedAndLost(now)
	rep.Verified(check.Checked, dropped, lost)
	return nil
}

// verdictOf returns the fault that check has found, given the present counters.
func verdictOf(check *sink.Verify, now sink.Counts) error {
	err := check.Verdict(now)
	if err != nil && check.Damaged > 0 {
		return cli.WithHint(err, "--verify checks generated messages: omit it for a producer with --input")
	}
	return err
}

// readCounts returns the present counters.
func readCounts(seg *shm.Segment) (sink.Counts, error) {
	seen, err := pressure.Observe(seg)
	return sink.Counts{Consumed: seen.Consumed, Dropped: seen.Dropped, Lost: seen.Lost}, err
}
