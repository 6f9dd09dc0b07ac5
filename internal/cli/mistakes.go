package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
)

// The flag parser's errors, which have no types.
var (
	badValue = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-+(\S+): (.*)$`)
	badEnv   = regexp.MustCompile(`^could not parse "(.*)" (?:as .* )?from environment variable "(\S+)" (?:as .* )?for flag (\S+): (.*)$`)
	unknown  = regexp.MustCompile(`^flag provided but not defined: -+(\S+)$`)
	twoForms = regexp.MustCompile(`^Cannot use two forms of the same flag: (\S+) (\S+)$`)
	noFlag   = regexp.MustCompile(`^bad flag syntax: (-+([^= ]*).*)$`)
	noValue  = regexp.MustCompile(`^flag needs an argument: -+(\S+)$`)
)

// rewordParseError returns the flag parser's error in the wording of the other errors.
func (a *App) rewordParseError(err error) error {
	text, flags := err.Error(), a.Flags
	if m := badValue.FindStringSubmatch(text); m != nil {
		return UsageError("%s: %s", withDashes(m[2]), valueError(flags, m[2], m[1], m[3]))
	}
	if m := badEnv.FindStringSubmatch(text); m != nil {
		return UsageError("%s in the environment: %s", m[2], valueError(flags, m[3], m[1], m[4]))
	}
	if m := unknown.FindStringSubmatch(text); m != nil {
		return a.noSuchFlag(m[1], withDashes(m[1]))
	}
	if m := noFlag.FindStringSubmatch(text); m != nil {
		return a.noSuchFlag(m[2], m[1])
	}
	if m := noValue.FindStringSubmatch(text); m != nil {
		return UsageError("%s: a value is missing", withDashes(m[1]))
	}
	if m := twoForms.FindStringSubmatch(text); m != nil {
		long, short := max(m[1], m[2]), min(m[1], m[2])
		if len(long) < len(short) {
			long, short = short, long
		}
		return UsageError("%s and %s are the same flag: want one of them", withDashes(long), withDashes(short))
	}
	return UsageError("%w", err)
}

// flagOwners maps each flag that only one command has to that command.
var flagOwners = map[string]string{
	"capacity": "producer", "slots": "producer", "on-full": "producer", "size": "producer", "burst": "producer", "input": "producer",
	"block-timeout": "producer", "arrivals": "producer", "open-loop": "producer", "to": "producer",
	"chunk": "producer", "buffer": "producer", "recycle": "producer", "limit": "producer", "on-limit": "producer", "resume-at": "producer", "fresh": "producer",
	"work": "consumer", "output": "consumer", "source": "consumer", "weight": "consumer", "verify": "consumer", "follow": "consumer", "drain": "consumer",
	"interval": "gauge", "json": "gauge", "listen": "gauge", "yes": "gauge", "messages": "gauge", "bytes": "gauge",
	"nats": "bridge", "context": "bridge", "creds": "bridge", "nkey": "bridge", "tls-ca": "bridge", "tls-cert": "bridge", "tls-key": "bridge",
	"stream": "bridge", "subject": "bridge", "max-bytes": "bridge", "storage": "bridge", "replicas": "bridge", "in-flight": "bridge", "skip-missing": "bridge",
	"store": "bridge", "config": "bridge", "max-payload": "bridge",
}

// sharedFlags are the flags of several commands, but not of all.
var sharedFlags = []string{"name", "mode", "report", "format", "duration", "count", "rate", "spin", "group", "keep", "populate", "socket", "framing"}

// unknownVariables returns the SLUICE_ variables in environ that match no flag of any command.
func unknownVariables(flags []urfave.Flag, environ []string) (names []string) {
	for _, v := range environ {
		variable, _, _ := strings.Cut(v, "=")
		name, hasPrefix := strings.CutPrefix(variable, "SLUICE_")
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		known := flagOwners[name] != "" || slices.Contains(sharedFlags, name) || slices.Contains(namesOf(flags), name)
		if hasPrefix && (!known || envOf(name) != variable || name == "version" || name == "help") {
			names = append(names, variable)
		}
	}
	return names
}

// firstUnknownVariable returns an error for the first of unknownVariables.
func firstUnknownVariable(flags []urfave.Flag, environ []string) error {
	for _, v := range unknownVariables(flags, environ) {
		return unknownVariableError(v, flags)
	}
	return nil
}

// warnOfVariables prints a warning for each of unknownVariables.
func warnOfVariables(command string, flags []urfave.Flag) {
	for _, v := range unknownVariables(flags, os.Environ()) {
		m := message{name: command, kind: "warning", text: unknownVariableError(v, flags).Error() + ", and is ignored"}
		if h := (hintedError{}); errors.As(unknownVariableError(v, flags), &h) {
			m.hint = h.hint
		}
		m.print(wantsJSON())
	}
}

// unknownVariableError is noSuchFlag for a variable.
func unknownVariableError(variable string, flags []urfave.Flag) error {
	err := UsageError("%s in the environment matches no flag", variable)
	name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "SLUICE_")), "_", "-")
	all := slices.Concat(namesOf(flags), sharedFlags, slices.Sorted(maps.Keys(flagOwners)))
	all = slices.DeleteFunc(all, func(flag string) bool { return flag == "version" || flag == "help" }) // they have no variable
	if near := nearest(name, all); near != "" {
		return WithHint(err, "did you mean %s?", envOf(near))
	}
	return err
}

func namesOf(flags []urfave.Flag) (names []string) {
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	return names
}

// has reports whether one of the flags has that name or that short one.
func has(flags []urfave.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f urfave.Flag) bool { return slices.Contains(f.Names(), name) })
}

// withDashes returns a flag as on the command line: --name, -n.
func withDashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// aboutFlag matches the start of a usage error that is about one flag or its variable.
var aboutFlag = regexp.MustCompile(`^(?:-{1,2}([a-z-]+)|(SLUICE_[A-Z_]+) in the environment)\b`)

// hintFromHelp adds to a usage error without a hint the help text of the flag that it is about.
func (a *App) hintFromHelp(err error) error {
	if !errors.Is(err, errUsage) || errors.As(err, new(hintedError)) {
		return err
	}
	m := aboutFlag.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	for _, f := range a.Flags {
		if slices.Contains(f.Names(), m[1]) || m[2] == envOf(f.Names()[0]) {
			title, text := describe(f)
			value, _ := metavar(f) // the text has it as well
			return WithHint(err, "%s: %s", strings.TrimSuffix(title, " "+value), strings.TrimPrefix(text, value+": "))
		}
	}
	return err
}

// unknownFlag is an error about a flag that a command does not have.
type unknownFlag struct {
	error
	name string
}

func (u unknownFlag) Unwrap() error { return u.error }

// noSuchFlag returns an error about an unknown or misspelled flag. name is without dashes,
// written is as in the arguments.
func (a *App) noSuchFlag(name, written string) error {
	flags := a.Flags
	owner := flagOwners[name]
	switch {
	case owner == "", owner == "gauge", owner == "bridge": // their subcommands have flags
	case a.commandsWhere(func(c *App) bool { return has(c.Flags, name) }) != "": // see hintFlagOwners
	default:
		return WithHint(UsageError("--%s is a flag of the %s", name, owner), "%s --help shows it", owner)
	}
	err := unknownFlag{UsageError("unknown flag %s", written), name}
	if near := nearest(name, namesOf(flags)); near != "" {
		return WithHint(err, "did you mean --%s?", near)
	}
	return WithHint(err, "--help lists the flags")
}

// hintFlagOwners adds to an unknownFlag the subcommands that have this flag.
func (a *App) hintFlagOwners(err error) error {
	var u unknownFlag
	if !errors.As(err, &u) || has(a.Flags, u.name) {
		return err
	}
	having := a.commandsWhere(func(c *App) bool { return u.name != "version" && has(c.Flags, u.name) })
	if having == "" {
		return err
	}
	return WithHint(u.error, "it is a flag of %s", having)
}

// hintArgumentOwners adds to err the subcommands that take an argument.
func (a *App) hintArgumentOwners(err error) error {
	taking := a.commandsWhere(func(c *App) bool { return c.Argument != "" })
	if taking == "" {
		return err
	}
	return WithHint(err, "a name is an argument of %s", taking)
}

// commandsWhere lists the subcommands of a, or of its parent, for which match returns true;
// "" if there is none.
func (a *App) commandsWhere(match func(*App) bool) string {
	all := a
	if a.parent != nil {
		all = a.parent
	}
	var names []string
	for i := range all.Commands {
		if match(&all.Commands[i]) {
			names = append(names, all.Commands[i].Name)
		}
	}
	last := len(names) - 1
	switch last {
	case -1:
		return ""
	case 0:
		return all.toType() + " " + names[0]
	}
	return all.toType() + " " + strings.Join(names[:last], ", ") + " and " + names[last]
}

func (a *App) noSuchCommand(name string) error {
	var names []string
	for _, sub := range a.Commands {
		names = append(names, sub.Name)
	}
	if near := nearest(name, names); near != "" {
		return WithHint(UsageError("unknown command %q", name), "did you mean %s?", near)
	}
	return WithHint(UsageError("unknown command %q", name), "the commands are %s", strings.Join(names, ", "))
}

// nearest returns the most similar of names to a misspelled one, "" if none is similar.
func nearest(misspelled string, names []string) (near string) {
	minDistance := 1 + len(misspelled)/4
	for _, n := range names {
		if d := distance(misspelled, n); d <= minDistance {
			near, minDistance = n, d
		}
	}
	return near
}

// valueError returns the text of an error about a flag's value. cause is the parser's, which
// is sufficient except for booleans.
func valueError(flags []urfave.Flag, name, value, cause string) string {
	for _, f := range flags {
		if _, isBool := f.(*urfave.BoolFlag); isBool && slices.Contains(f.Names(), name) {
			return fmt.Sprintf("invalid value %q: want true or false", value)
		}
	}
	return strings.TrimSpace(cause)
}
