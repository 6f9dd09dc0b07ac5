package command

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// What the flag parser says of a value that it cannot read, on the command line
// and in the environment, and of a flag that it does not know.
var (
	badValue = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-+(\S+): (.*)$`)
	badEnv   = regexp.MustCompile(`^could not parse "(.*)" (?:as .* )?from environment variable "(\S+)" (?:as .* )?for flag (\S+): (.*)$`)
	unknown  = regexp.MustCompile(`^flag provided but not defined: -+(\S+)$`)
	noValue  = regexp.MustCompile(`^flag needs an argument: -+(\S+)$`)
)

// mistake says the flag parser's errors as a person would.
func mistake(err error, flags []cli.Flag) error {
	text := err.Error()
	if m := badValue.FindStringSubmatch(text); m != nil {
		return Usage("--%s: %s", m[2], wanted(flags, m[2], m[1], m[3]))
	}
	if m := badEnv.FindStringSubmatch(text); m != nil {
		return Usage("%s (the environment's --%s): %s", m[2], m[3], wanted(flags, m[3], m[1], m[4]))
	}
	if m := unknown.FindStringSubmatch(text); m != nil {
		return noSuchFlag(m[1], flags)
	}
	if m := noValue.FindStringSubmatch(text); m != nil {
		return Usage("--%s: a value is missing", m[1])
	}
	return Usage("%w", err)
}

// owners is whose the flags are that only one of the commands has.
var owners = map[string]string{
	"capacity": "producer", "slots": "producer", "on-full": "producer", "size": "producer", "burst": "producer", "input": "producer",
	"chunk": "producer", "buffer": "producer", "recycle": "producer", "limit": "producer", "fresh": "producer",
	"work": "consumer", "output": "consumer", "verify": "consumer", "follow": "consumer", "drain": "consumer",
}

// unknownVariable finds a variable of the environment that is no flag of either
// command, and would be ignored in silence.
func unknownVariable(flags []cli.Flag, environ []string) error {
	for _, v := range environ {
		variable, _, _ := strings.Cut(v, "=")
		name, ours := strings.CutPrefix(variable, "SLUICE_")
		if !ours {
			continue
		}
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if _, ok := owners[name]; ok || slices.ContainsFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == name }) {
			continue
		}
		return Usage("%s in the environment: %w", variable, noSuchFlag(name, flags))
	}
	return nil
}

func noSuchFlag(name string, flags []cli.Flag) error {
	dashes := "--"
	if len(name) == 1 {
		dashes = "-"
	}
	if owner, ok := owners[name]; ok {
		return Usage("--%s is a flag of the %s", name, owner)
	}
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	if near := nearest(name, names); near != "" {
		return Usage("there is no %s%s; did you mean --%s?", dashes, name, near)
	}
	return Usage("there is no %s%s", dashes, name)
}

func (a *App) noSuchCommand(name string) error {
	var names []string
	for _, sub := range a.Commands {
		names = append(names, sub.Name)
	}
	if near := nearest(name, names); near != "" {
		return Usage("there is no command %q; did you mean %s?", name, near)
	}
	return Usage("there is no command %q; there are %s", name, strings.Join(names, ", "))
}

// nearest returns the name that somebody may have meant, "" if none is near.
func nearest(said string, names []string) (near string) {
	least := 1 + len(said)/4
	for _, n := range names {
		if d := smetrics.WagnerFischer(said, n, 1, 1, 1); d <= least {
			near, least = n, d
		}
	}
	return near
}

// wanted says what a flag takes instead of value. Flags with a parser of their
// own have said it already, in cause.
func wanted(flags []cli.Flag, name, value, cause string) string {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n != name {
				continue
			}
			switch f.(type) {
			case *cli.DurationFlag:
				return fmt.Sprintf("%q is no time; write 250ms, 5s or 1m", value)
			case *cli.Uint64Flag, *cli.IntFlag:
				return fmt.Sprintf("%q is no whole number from 0 on", value)
			case *cli.Float64Flag:
				return fmt.Sprintf("%q is no number; write 200 or 1e6", value)
			case *cli.BoolFlag:
				return fmt.Sprintf("%q is neither true nor false", value)
			}
		}
	}
	return strings.TrimSpace(cause)
}
