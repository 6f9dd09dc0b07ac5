package main

import (
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/shm"
)

// sideFlags returns the flags that out and in share.
func sideFlags(name urfave.Flag, more ...urfave.Flag) []urfave.Flag {
	flags := append(cli.SideFlags(name), connectionFlags()...)
	flags = append(flags,
		&urfave.StringFlag{Name: "stream", Usage: "`NAME` of the JetStream stream, of A-Z a-z 0-9 _ -; required, and the same on both sides"},
		&urfave.StringFlag{Name: "subject", DefaultText: "the name of the ring", Usage: "`NAME` in the subject, where the rings of the two sides have different names: the same on both sides"},
		&urfave.BoolFlag{Name: "follow", Usage: "when the stream of a ring ends, wait for the next one"},
	)
	return append(flags, more...)
}

// side is what out and in were asked for.
type side struct {
	cli.Common
	command string // "out" or "in"
	stream  string
	subject string // "" = the name of the ring
	follow  bool
	server  *server
}

func parseSide(c *urfave.Context, command string) (s side, err error) {
	if s.Common, err = cli.ParseSide(c); err != nil {
		return s, err
	}
	s.command, s.stream, s.subject, s.follow = command, c.String("stream"), c.String("subject"), c.Bool("follow")
	if err := required(c, "stream"); err != nil {
		return s, err
	}
	if err := checkStream(s.stream); err != nil {
		return s, cli.UsageError("%s: %w", cli.FlagSource(c, "stream"), err)
	}
	if err := s.checkSubject(c); err != nil {
		return s, err
	}
	s.server, err = parseServer(c)
	return s, err
}

// checkSubject accepts a name as rings have, and only for one ring.
func (s *side) checkSubject(c *urfave.Context) error {
	source := cli.FlagSource(c, "subject")
	switch {
	case s.subject == "" && cli.SetOnCommandLine(c, "subject"):
		return cli.UsageError("--subject: a value is missing")
	case s.subject == "":
		return nil
	case s.Several():
		return cli.WithHint(cli.UsageError("%s cannot be used with several rings", source), "leave it out: each ring has a subject of its own name")
	}
	if err := shm.CheckName(s.subject); err != nil {
		return cli.UsageError("%s: %w", source, err)
	}
	return nil
}

// maxStreamName is how long JetStream recommends the name of a stream to be at most, and half of
// what it allows: the name is also a part of subjects and of the path of a directory.
const maxStreamName = 128

// checkStream accepts a name that is one token of a subject, because subjects have it in them.
func checkStream(name string) error {
	if len(name) > maxStreamName {
		return fmt.Errorf("a name of %d characters, want at most %d", len(name), maxStreamName)
	}
	allowed := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !allowed(r) }) {
		return fmt.Errorf("invalid name %q: only A-Z a-z 0-9 _ - are allowed", name)
	}
	return nil
}
