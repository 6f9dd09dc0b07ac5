package main

import (
	"context"

	"github.com/nats-io/nats.go"
	urfave "github.com/urfave/cli/v2"

	"sluice/bridge"
	"sluice/internal/cli"
	"sluice/layout"
)

func inCommand() cli.App {
	return cli.App{
		Name:  "in",
		Usage: "fill a ring with the messages of a stream",
		About: "Takes the place of the producer: makes a ring like the near one, and fills it with the\n" +
			"messages that bridge out takes from there. A message is acknowledged to the stream when\n" +
			"it is in the ring. The end of the near stream, with its reason, becomes that of this one.\n" +
			"Either side may be started first: this one waits until there is a stream.",
		Examples: []string{
			"bridge in orders --stream S",
			"bridge in orders --stream S --follow         go on after the end of a stream",
			"bridge in orders --stream S --capacity 4MiB  another size than the near ring's",
		},
		Flags: sideFlags(cli.NameFlag("demo"),
			cli.OptionalSizeFlag("capacity", "that of the near ring", "size of a new ring in `BYTES`: a power of two from 4KiB to 2GiB"),
			&urfave.Uint64Flag{Name: "slots", DefaultText: "as the near ring", Usage: "at most `N` messages in flight in a new ring"},
			&urfave.BoolFlag{Name: "skip-missing", Usage: "go on behind messages that were deleted from the stream: the stream in the ring then ends as failed, and another begins"},
		),
		Argument: "name",
		Run:      runIn,
	}
}

func runIn(ctx context.Context, c *urfave.Context) error {
	s, err := parseSide(c, "in")
	if err != nil {
		return err
	}
	opt := bridge.InOptions{
		Stream: s.stream, Subject: s.subject, Capacity: cli.GetSize(c, "capacity"), Slots: c.Uint64("slots"), SkipMissing: c.Bool("skip-missing"),
		Follow: s.follow, Keep: s.Keep, Access: s.Access, Spin: s.Spin, Populate: s.Populate,
	}
	capacity := uint64(layout.DefaultCapacity) // while that of the near ring is not known
	if c.IsSet("capacity") {
		capacity = opt.Capacity
	}
	if err := cli.CheckCapacity(c, capacity, opt.Slots); err != nil {
		return err
	}
	return s.runOne(ctx, layout.Producer, func(ctx context.Context, nc *nats.Conn, events bridge.Events) error {
		opt.Events = events
		return bridge.In(ctx, nc, s.Name, opt)
	})
}
