package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/internal/follow"
	"sluice/internal/report"
)

func statCommand() command.App {
	return command.App{
		Name:   "stat",
		Prints: true,
		Usage:  "show everything about a segment, once",
		Examples: []string{
			"gauge stat --name demo",
			"gauge stat --json | jq .verdict",
		},
		Flags: []cli.Flag{
			command.NameFlag("demo"),
			&cli.BoolFlag{Name: "json", Usage: "print an object with the keys of the sides' reports; latency in nanoseconds, other times in seconds"},
			command.TimeFlag("interval", glance, 1, "look for this `TIME` to tell how fast it goes"),
		},
		Argument: "name",
		Run:      stat,
	}
}

func stat(ctx context.Context, c *cli.Context) error {
	name := command.GetName(c)
	wait := c.Duration("interval")
	f := follow.New(name, 1)
	defer f.Close()
	pairs, err := twice(ctx, f, wait)
	switch {
	case err != nil:
		return command.Orderly(err)
	case len(pairs) == 0:
		return noSegment(name)
	case pairs[0].Err != nil:
		return pairs[0].Err
	case c.Bool("json"):
		return report.JSON(os.Stdout, report.Of(pairs[0]))
	}
	return report.Observed(os.Stdout, report.Of(pairs[0]))
}
