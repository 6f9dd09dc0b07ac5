package main

import (
	"context"
	"os"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/observe/monitor"
	"sluice/internal/report"
)

func statCommand() cli.App {
	return cli.App{
		Name:   "stat",
		Prints: true,
		Usage:  "show everything about a segment, once",
		Examples: []string{
			"gauge stat --name demo",
			"gauge stat --json | jq .verdict",
		},
		Flags: []urfave.Flag{
			cli.NameFlag("demo"),
			&urfave.BoolFlag{Name: "json", Usage: "print an object with the keys of the reports of both sides; latency in nanoseconds, other times in seconds"},
			cli.TimeFlag("interval", rateInterval, 1, "measure rates over `TIME`, more than 0"),
		},
		Argument: "name",
		Run:      stat,
	}
}

func stat(ctx context.Context, c *urfave.Context) error {
	name := cli.GetName(c)
	wait := c.Duration("interval")
	f := monitor.New(name, 1)
	defer f.Close()
	pairs, err := sampleTwice(ctx, f, wait)
	switch {
	case err != nil:
		return cli.IgnoreStop(err)
	case len(pairs) == 0:
		return noSegment(name)
	case pairs[0].Err != nil:
		return pairs[0].Err
	case c.Bool("json"):
		return report.JSON(os.Stdout, pairs[0].Report())
	}
	return report.Observed(os.Stdout, pairs[0].Report())
}
