package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

func removeCommand() command.App {
	return command.App{
		Name:  "rm",
		Usage: "remove a segment that nobody uses any more",
		About: "Refuses while a producer or a consumer lives, and, without --yes, while there are\nunread messages in it.",
		Flags: []cli.Flag{
			command.NameFlag("demo"),
			&cli.BoolFlag{Name: "yes", Usage: "discard unread messages, or a file that is no segment"},
		},
		File: "name",
		Run:  remove,
	}
}

func remove(ctx context.Context, c *cli.Context) error {
	name, err := command.GetName(c)
	if err != nil {
		return err
	}
	unread, err := unread(name)
	damaged := errors.Is(err, layout.ErrNotSegment) || errors.Is(err, layout.ErrVersion) || errors.Is(err, layout.ErrCorrupt)
	switch {
	case damaged && !c.Bool("yes"):
		return command.Usage("%w; --yes removes it all the same", err)
	case err != nil && !damaged:
		return err
	case unread > 0 && !c.Bool("yes"):
		return command.Usage("segment %q: %s unread would be lost; --yes discards them, and consumer --name %[1]s takes them",
			name, humanize.Comma(int64(unread))+" messages")
	}
	if err := shm.Remove(ctx, name); errors.Is(err, fs.ErrNotExist) {
		return noSegment(name)
	} else if err != nil {
		return err
	}
	if unread > 0 {
		fmt.Printf("removed %s with %s unread messages\n", shm.Path(name), humanize.Comma(int64(unread)))
	} else {
		fmt.Printf("removed %s\n", shm.Path(name))
	}
	return nil
}

// unread is how many messages would be lost with the segment. A transfer's are in
// its producer's memory.
func unread(name string) (uint64, error) {
	v, err := look(name)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	s, err := pressure.Observe(v)
	switch {
	case err != nil:
		return 0, fmt.Errorf("segment %q: %w", name, err)
	case s.Producer.Alive || s.Consumer.Alive:
		return 0, nil // which shm.Remove refuses, and says why
	case s.Geometry.Mode != layout.ModeRing:
		return 0, nil
	}
	return s.Depth(), nil
}
