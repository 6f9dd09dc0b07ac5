package main

import (
	"cmp"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/cli"
	"sluice/layout"
	"sluice/shm"
)

// policies are the policies of a destination. The first is the default.
var policies = []string{"block", "drop", "disconnect"}

func toFlag() urfave.Flag {
	return cli.ListFlag("to", "none", "instead of --name: send each message to several rings, `NAME[:POLICY]` each, where POLICY says what happens when that ring is full: block (wait, all rings; for a consumer that is not there a second at most), drop (the message, for this ring), or disconnect (end its stream, until a consumer joins again); default block", func(s string) error {
		_, err := parseDestination(s)
		return err
	})
}

func parseDestination(s string) (d sluice.Destination, err error) {
	name, policy, found := strings.Cut(s, ":")
	if err := shm.CheckName(name); err != nil {
		return d, err
	}
	if !found {
		policy = policies[0]
	}
	switch policy {
	case "block":
		d.OnSlow = sluice.Block
	case "drop":
		d.OnSlow = sluice.Drop
	case "disconnect":
		d.OnSlow = sluice.Disconnect
	default:
		return d, cli.UsageError("invalid policy %q of %q: want %s", policy, name, strings.Join(policies, ", "))
	}
	d.Name = name
	return d, nil
}

// parseDestinations parses --to. In the environment it is ignored beside a --name on the command
// line, and in transfer mode.
func (o *options) parseDestinations(c *urfave.Context, mode layout.Mode) error {
	values := cli.GetList(c, "to")
	given, named := cli.SetOnCommandLine(c, "to"), cli.SetOnCommandLine(c, "name")
	switch {
	case len(values) == 0 && given:
		return cli.UsageError("--to: a value is missing")
	case mode != layout.ModeRing && given:
		return cli.WithHint(cli.UsageError("--to cannot be used in transfer mode"), "leave out --mode transfer: it is for rings")
	case given && named:
		return cli.WithHint(cli.UsageError("--to cannot be used with --name"), "name the rings with --to alone: --to NAME --to NAME:drop")
	case mode != layout.ModeRing, named, len(values) == 0:
		return nil
	}
	for _, s := range values {
		d, err := parseDestination(s)
		if err != nil {
			return err // the flag has checked it
		}
		if slices.ContainsFunc(o.to, func(before sluice.Destination) bool { return before.Name == d.Name }) {
			return cli.UsageError("%s: the ring %q is given twice", cli.FlagSource(c, "to"), d.Name)
		}
		o.to = append(o.to, d)
	}
	slices.SortStableFunc(o.to, func(a, b sluice.Destination) int { return cmp.Compare(a.Name, b.Name) }) // as reports have them
	return cli.WithHint(rejectFlags(c, []string{"on-full"}, "with --to"), "each ring has a policy of its own: --to NAME:drop")
}
