package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/layout"
)

func layoutCommand() cli.App {
	return cli.App{
		Name:   "layout",
		Prints: true,
		Usage:  "print the offset and the size of each field of a segment's header",
		Flags:  []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "print an array of objects with name, offset, size and doc"}},
		Run: func(_ context.Context, c *urfave.Context) error {
			if !c.Bool("json") {
				_, err := fmt.Print(layout.Table())
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(layout.Fields())
		},
	}
}
