package main

import (
	"context"
	"errors"
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/report"
	"sluice/internal/sink"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
)

func drainCommand() cli.App {
	return cli.App{
		Name:   "drain",
		Prints: true,
		Usage:  "save the messages that a dead pair has left in a ring, and release them",
		About: "Takes the place of the consumer, writes the messages that wait, and releases those that\n" +
			"were written. Fails while a producer or a consumer is alive. The segment stays, with how\n" +
			"its stream has ended, for the next pair or for gauge rm. A message is written at least\n" +
			"once: after a failed write, the next drain or the next consumer gets what was not written.",
		Examples: []string{
			"gauge drain demo --output left        then: gauge rm demo",
			"gauge drain demo | wc -l",
			"gauge drain demo --framing length --output left   for producer --framing length --input left",
		},
		Flags: []urfave.Flag{
			cli.NameFlag("demo"),
			cli.NewFileFlag(),
			cli.FramingFlag("the producer's", "`FRAMING` of the output: lines, length (4-byte little-endian length before each message), or raw"),
			cli.GroupFlag(),
			&urfave.BoolFlag{Name: "yes", Usage: "save messages that a bridge was to send: on the other side of the bridge they are missing then; or where it is unknown whether the producer is alive"},
		},
		Argument: "name",
		File:     "output",
		Run:      drain,
	}
}

func drain(ctx context.Context, c *urfave.Context) error {
	name, output := cli.GetName(c), c.String("output")
	if output == "" {
		return cli.UsageError("--output: want the name of a file, or - for standard output")
	}
	access, err := cli.GetAccess(c)
	if err != nil {
		return err
	}
	if err := cli.WithSegment(name, checkDrainable(name, output, c.Bool("yes"))); err != nil {
		return err
	}
	from, err := openDead(ctx, name, access)
	if err != nil {
		return err
	}
	d := drained{from: from, given: cli.GetFraming(c), output: output}
	err = shm.Guard(func() error {
		if endpoint.UntoldEnd(from.Segment().Header()) != layout.EndNone {
			from.LeaveEnd() // for the next consumer, to whom it says whether the stream was complete
			d.keptEnd = true
		}
		return d.save(ctx)
	})
	closeErr := from.Close()
	d.report(name)
	if left := from.Unread(); err != nil && cli.IgnoreStop(err) == nil && left > 0 {
		err = fmt.Errorf("%s not saved: the command was stopped", format.Messages(left))
	}
	return errors.Join(cli.WithSegment(name, err), closeErr)
}

// checkDrainable returns why the messages of a segment cannot be saved to that output, or are not
// to be without --yes. Whether another process takes the role of the consumer meanwhile is found
// out later.
func checkDrainable(name, output string, yes bool) error {
	v, err := openView(name)
	if err != nil {
		return err
	}
	defer v.Close()
	s, err := pressure.Observe(v)
	switch {
	case err != nil:
		return err
	case s.Geometry.Mode != layout.ModeRing:
		return checkRing(v, "nothing of a transfer can be saved: what waits is in the memory of its producer, or in its socket")
	case s.Producer.AliveUnknown && s.Producer.Generation > 0 && !yes:
		err := cli.UsageError("%w", cli.WithSegment(name, errors.New("whether its producer is alive is unknown: the kernel does not tell which locks are held")))
		return cli.WithHint(err, "see to it that the producer has exited (gauge stat %s has its process), and repeat with --yes", name)
	case s.Producer.Alive && !s.Producer.AliveUnknown:
		err := shm.InSegment("drain", name, fmt.Errorf("%w: a live process is its producer (process %d)", shm.ErrRoleTaken, s.Producer.PID))
		return cli.WithHint(err, "stop that process first; or let consumer --name %s --output FILE receive what waits and what still comes", name)
	case !s.Consumer.Alive && s.Consumer.Bridge.Present() && s.Depth() > 0 && !yes:
		err := cli.UsageError("%w", cli.WithSegment(name, fmt.Errorf("%s were to be sent by a bridge", format.Messages(s.Depth()))))
		return cli.WithHint(err, "%[1]s out --name %[2]s sends them; --yes saves them here, and then %[1]s in needs --skip-missing", bridgeCommand(), name)
	case s.Depth() > 0:
		return sink.CheckNew(output)
	}
	return nil
}

// ringConsumer is the consumer of a ring of either kind.
type ringConsumer interface {
	sluice.Consumer
	LeaveEnd()
}

// openDead takes the role of the consumer in a ring. The segment stays when that is closed.
func openDead(ctx context.Context, name string, access shm.Access) (ringConsumer, error) {
	seg, err := shm.Open(ctx, name, layout.Consumer, access)
	if err != nil {
		return nil, err
	}
	opt := ring.ReaderOptions{Keep: true, Spin: ring.SpinNever, OnMissed: func(n uint64) { cli.Note("gauge", name, report.MissedText(n), "") }}
	if seg.Geometry().Fixed() {
		r, err := ring.OpenSlotSegment(seg, opt)
		if err != nil {
			return nil, err // not an end that is a nil pointer
		}
		return r, nil
	}
	r, err := ring.OpenSegment(seg, opt)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// drained saves the messages that wait.
type drained struct {
	from   ringConsumer
	given  layout.Framing // FramingNone = the producer's
	output string
	bytes  uint64 // that were written and released

	keptEnd bool // the end of the stream is kept for the next consumer
}

// save writes the messages that wait now: not those of a producer that comes meanwhile.
func (d *drained) save(ctx context.Context) (err error) {
	lim := sink.Limits{Count: d.from.Unread()}
	if lim.Count == 0 { // nothing is opened, and 0 would be no limit
		return nil
	}
	framing := cli.OutputFraming(d.given, d.from.Framing(), d.output)
	stopNote := cli.NoteNoReader("gauge", d.from.Segment().Name(), d.output)
	out, err := sink.OpenNew(ctx, d.output, func() layout.Framing { return framing }, new(sink.WaitTime))
	stopNote()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	lim.HoldBytes, lim.HoldMessages = sink.MaxHeld(d.from.Segment())
	return sink.Drain(ctx, d.from, sink.Sinks{out, d}, lim)
}

// Write counts the bytes of messages that were written.
func (d *drained) Write(msgs [][]byte) error {
	for _, msg := range msgs {
		d.bytes += uint64(len(msg))
	}
	return nil
}

// Close does nothing.
func (d *drained) Close() error { return nil }

// report says how many messages were saved and how many are left. The consumer is closed.
func (d *drained) report(name string) {
	text := "saved 0 messages"
	if saved := d.from.Released(); saved > 0 {
		text = fmt.Sprintf("saved %s, %s, to %s", format.Messages(saved), format.Size(d.bytes), sink.NameOf(d.output))
	}
	hint := fmt.Sprintf("gauge rm %s removes the segment", name)
	if d.keptEnd {
		hint += ", and with it how the stream has ended, which is kept for the next consumer"
	}
	if left := d.from.Unread(); left > 0 {
		text += fmt.Sprintf("; %s unread in %s", format.Messages(left), shm.Path(name))
		hint = ""
	} else {
		text += fmt.Sprintf("; none is left in %s", shm.Path(name))
	}
	cli.Note("gauge", name, text, hint)
}
