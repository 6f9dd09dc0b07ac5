package main

import (
	"context"
	"errors"
	"fmt"
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
		Usage:  "show everything about segments, once",
		Examples: []string{
			"gauge stat --name demo",
			"gauge stat --json | jq .verdict",
			"gauge stat 'sensor-*'        each segment whose name begins so",
		},
		Flags: []urfave.Flag{
			cli.NamesFlag("demo"),
			&urfave.BoolFlag{Name: "json", Usage: "print an object, for each segment, with the keys of the reports of both sides; latency in nanoseconds, other times in seconds"},
			cli.TimeFlag("interval", rateInterval, 1, "measure rates over `TIME`, more than 0"),
		},
		Argument: "name",
		Run:      stat,
	}
}

func stat(ctx context.Context, c *urfave.Context) error {
	names, err := cli.GetNames(c)
	if err != nil {
		return err
	}
	f := monitor.New(names, 1)
	f.Connect = true
	defer f.Close()
	pairs, err := sampleTwice(ctx, f, c.Duration("interval"))
	if err != nil {
		return cli.IgnoreStop(err)
	}
	show := report.Observed
	if c.Bool("json") {
		show = report.JSON
	}
	var errs []error
	for i, p := range pairs {
		switch {
		case p.Err != nil:
			errs = append(errs, p.Err)
			continue
		case i > 0 && !c.Bool("json"):
			fmt.Println()
		}
		errs = append(errs, show(os.Stdout, p.Report()))
	}
	return errors.Join(append(errs, missing(names, pairs))...)
}
