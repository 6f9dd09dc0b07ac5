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
	weights cli.Weights
	prefix  bool // --source prefix: the output has the names of the rings

	socketGiven bool // --socket is on the command line, so the mode is transfer unless --mode is given
}

func flags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.DurationFlag{Name: "work", Usage: "spend `TIME` on each message, to simulate a slow consumer"},
		&urfave.StringFlag{Name: "output", DefaultText: "discard", Usage: "write messages to `FILE`, which is replaced; - for standard output"},
		cli.FramingFlag("the producer's", "`FRAMING` of the output: lines, length (4-byte little-endian length before each message), or raw"),
		cli.ChoiceFlag("source", nil, "none", "", "several rings: write the name of the ring of a message to the output (`HOW`): prefix (lines: the name and a tab before each line; length: one byte of length of the name, the name) or none", "prefix", "none"),
		cli.WeightsFlag(),
		&urfave.BoolFlag{Name: "verify", Usage: "check generated messages: order, gaps, duplicates, content"},
		&urfave.BoolFlag{Name: "follow", Usage: "when the producer ends, wait for the next one"},
		&urfave.DurationFlag{Name: "drain", Usage: "when stopped after the producer has ended, first receive the messages it left, for at most `TIME`"},
	}
}

func parse(c *urfave.Context, common *cli.Common) (o options, err error) {
	o = options{work: c.Duration("work"), output: c.String("output"), verify: c.Bool("verify"), follow: c.Bool("follow"), drain: c.Duration("drain")}
	o.prefix = cli.GetChoice(c, "source") == "prefix"
	o.socketGiven = cli.SetOnCommandLine(c, "socket")
	if o.weights, err = cli.GetWeights(c); err != nil {
		return o, err
	}
	if common.Several() {
		err = o.checkSeveral(c, common)
	} else {
		err = o.checkOne(c, common.Mode)
	}
	if err != nil {
		return o, err
	}
	if cli.SetOnCommandLine(c, "output") && o.output == "" {
		return o, cli.UsageError("--output: want the name of a file, or - for standard output")
	}
	if o.output == "" && cli.SetOnCommandLine(c, "framing") {
		return o, cli.WithHint(cli.UsageError("--framing cannot be used without an output"), "add --output FILE")
	}
	o.framing = cli.GetFraming(c)
	if common.Several() && o.prefix && o.framing == layout.FramingRaw {
		return o, rawPrefixError(cli.FlagSource(c, "source"))
	}
	return o, nil
}

// checkOne checks the flags of a consumer of one segment. Variables that are for several are
// ignored.
func (o *options) checkOne(c *urfave.Context, mode layout.Mode) error {
	if o.socketGiven && mode == layout.ModeRing {
		return cli.WithHint(cli.UsageError("--socket cannot be used in ring mode"), "leave it out, or omit --mode ring")
	}
	for _, flag := range []string{"weight", "source"} {
		if cli.SetOnCommandLine(c, flag) {
			return cli.WithHint(cli.UsageError("--%s cannot be used with one segment", flag), "name several rings (--name A --name B), or a pattern (--name 'sensor-*')")
		}
	}
	return nil
}

// checkSeveral checks the flags of a consumer of several rings.
func (o *options) checkSeveral(c *urfave.Context, common *cli.Common) error {
	alone := "a consumer of a transfer has one --name"
	switch {
	case common.Mode == layout.ModeTransfer:
		return cli.WithHint(cli.UsageError("%s: several segments must be rings", cli.FlagSource(c, "mode")), "%s", alone)
	case o.socketGiven:
		return cli.WithHint(cli.UsageError("--socket cannot be used with several rings"), "%s", alone)
	case cli.SetOnCommandLine(c, "source") && o.output == "":
		return cli.WithHint(cli.UsageError("--source cannot be used without an output"), "add --output FILE")
	}
	return o.weights.CheckNames(c, common.Names)
}

// rawPrefixError is for --source prefix with an output whose framing has no place for a name.
func rawPrefixError(source string) error {
	return cli.WithHint(cli.UsageError("%s: raw framing has no place for the names of rings", source), "add --framing lines or --framing length")
}
