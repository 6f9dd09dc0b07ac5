package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/layout"
)

func layoutCommand() command.App {
	return command.App{
		Name:   "layout",
		Prints: true,
		Usage:  "print where each field of a segment's header lies",
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print an array of objects with name, offset, size and doc"}},
		Run: func(_ context.Context, c *cli.Context) error {
			if !c.Bool("json") {
				_, err := fmt.Print(layout.Table())
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(layout.Fields())
		},
	}
}
