package main

import (
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/layout"
)

// options are the values of the flags that only consumer has.
type options struct {
	work    time.Duration
	output  string         // "" = none
	framing layout.Framing // FramingNone = the producer's
	verify  bool
	follow  bool
	drain   time.Duration

	socketGiven bool // --socket is on the command line, so the mode is transfer unless --mode is given
}

func flags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.DurationFlag{Name: "work", Usage: "spend `TIME` on each message, to simulate a slow consumer"},
		&urfave.StringFlag{Name: "output", DefaultText: "discard", Usage: "write messages to `FILE`, which is replaced; - for standard output"},
		cli.FramingFlag("the producer's", "`FRAMING` of the output: lines, length (4-byte little-endian length before each message), or raw"),
		&urfave.BoolFlag{Name: "verify", Usage: "check generated messages: order, gaps, duplicates, content"},
		&urfave.BoolFlag{Name: "follow", Usage: "when the producer ends, wait for the next one"},
		&urfave.DurationFlag{Name: "drain", Usage: "when stopped after the producer has ended, first receive the messages it left, for at most `TIME`"},
	}
}

func parse(c *urfave.Context, mode layout.Mode) (o options, err error) {
	o = options{work: c.Duration("work"), output: c.String("output"), verify: c.Bool("verify"), follow: c.Bool("follow"), drain: c.Duration("drain")}
	if o.socketGiven = cli.SetOnCommandLine(c, "socket"); o.socketGiven && mode == layout.ModeRing {
		return o, cli.WithHint(cli.UsageError("--socket cannot be used in ring mode"), "leave it out, or omit --mode ring")
	}
	if cli.SetOnCommandLine(c, "output") && o.output == "" {
		return o, cli.UsageError("--output: want the name of a file, or - for standard output")
	}
	if o.output == "" && cli.SetOnCommandLine(c, "framing") {
		return o, cli.WithHint(cli.UsageError("--framing cannot be used without an output"), "add --output FILE")
	}
	o.framing = cli.GetFraming(c)
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
	return cli.DefaultFraming(o.output)
}
