package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/layout"
)

// options is what only the consumer takes.
type options struct {
	work    time.Duration
	output  string         // "" = none
	framing layout.Framing // FramingNone = as the producer's
	verify  bool
	follow  bool
	drain   time.Duration
}

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "work", Usage: "spend this `TIME` on each message: a slow consumer"},
		&cli.StringFlag{Name: "output", DefaultText: "discard", Usage: "write messages to `FILE`, which is replaced; - for standard output"},
		command.FramingFlag("as the producer's", "`HOW` the output is cut: lines, length (4 bytes little-endian before each message), raw"),
		&cli.BoolFlag{Name: "verify", Usage: "check generated messages: order, gaps, duplicates, content"},
		&cli.BoolFlag{Name: "follow", Usage: "when the producer ends, wait for the next one"},
		&cli.DurationFlag{Name: "drain", Usage: "when asked to stop after the producer has ended, first take what it has left, for at most this `TIME`"},
	}
}

func parse(c *cli.Context) (o options, err error) {
	o = options{work: c.Duration("work"), output: c.String("output"), verify: c.Bool("verify"), follow: c.Bool("follow"), drain: c.Duration("drain")}
	if command.Said(c, "output") && o.output == "" {
		return o, command.Usage("--output: want the name of a file, or - for standard output")
	}
	if o.output == "" && command.Said(c, "framing") {
		return o, command.WithHint(command.Usage("--framing has no meaning without an output"), "add --output FILE")
	}
	o.framing = command.GetFraming(c)
	return o, nil
}

// framingFor returns the framing of the output, given the producer's.
func (o *options) framingFor(producer layout.Framing) layout.Framing {
	switch {
	case o.framing != layout.FramingNone:
		return o.framing
	case producer != layout.FramingNone:
		return producer
	}
	return command.DefaultFraming(o.output)
}
