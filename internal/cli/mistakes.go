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
	"github.com/xrash/smetrics"
)

// What the flag parser says of a value that it cannot read, on the command line
// and in the environment, and of a flag that it does not know.
var (
	badValue = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-+(\S+): (.*)$`)
	badEnv   = regexp.MustCompile(`^could not parse "(.*)" (?:as .* )?from environment variable "(\S+)" (?:as .* )?for flag (\S+): (.*)$`)
	unknown  = regexp.MustCompile(`^flag provided but not defined: -+(\S+)$`)
	twoForms = regexp.MustCompile(`^Cannot use two forms of the same flag: (\S+) (\S+)$`)
	noFlag   = regexp.MustCompile(`^bad flag syntax: (-+([^= ]*).*)$`)
	noValue  = regexp.MustCompile(`^flag needs an argument: -+(\S+)$`)
)

// mistake says the flag parser's errors as a person would.
func mistake(err error, flags []urfave.Flag) error {
	text := err.Error()
	if m := badValue.FindStringSubmatch(text); m != nil {
		return UsageError("%s: %s", dashed(m[2]), wanted(flags, m[2], m[1], m[3]))
	}
	if m := badEnv.FindStringSubmatch(text); m != nil {
		return UsageError("%s in the environment: %s", m[2], wanted(flags, m[3], m[1], m[4]))
	}
	if m := unknown.FindStringSubmatch(text); m != nil {
		return noSuchFlag(m[1], dashed(m[1]), flags)
	}
	if m := noFlag.FindStringSubmatch(text); m != nil {
		return noSuchFlag(m[2], m[1], flags)
	}
	if m := noValue.FindStringSubmatch(text); m != nil {
		return UsageError("%s: a value is missing", dashed(m[1]))
	}
	if m := twoForms.FindStringSubmatch(text); m != nil {
		long, short := max(m[1], m[2]), min(m[1], m[2])
		if len(long) < len(short) {
			long, short = short, long
		}
		return UsageError("%s and %s are the same flag: want one of them", dashed(long), dashed(short))
	}
	return UsageError("%w", err)
}

// owners is whose the flags are that only one of the commands has.
var owners = map[string]string{
	"capacity": "producer", "slots": "producer", "on-full": "producer", "size": "producer", "burst": "producer", "input": "producer",
	"chunk": "producer", "buffer": "producer", "recycle": "producer", "limit": "producer", "fresh": "producer",
	"work": "consumer", "output": "consumer", "verify": "consumer", "follow": "consumer", "drain": "consumer",
	"interval": "gauge", "json": "gauge", "listen": "gauge", "yes": "gauge",
}

// shared are the flags that several commands have, but not all of them.
var shared = []string{"name", "mode", "report", "format", "duration", "count", "rate", "spin", "group", "keep", "socket", "framing"}

// unknownVariables returns the variables of the environment that are no flag of any
// command, and would be ignored in silence.
func unknownVariables(flags []urfave.Flag, environ []string) (names []string) {
	for _, v := range environ {
		variable, _, _ := strings.Cut(v, "=")
		name, ours := strings.CutPrefix(variable, "SLUICE_")
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		known := owners[name] != "" || slices.Contains(shared, name) || slices.Contains(namesOf(flags), name)
		if ours && (!known || envOf(name) != variable || name == "version" || name == "help") {
			names = append(names, variable)
		}
	}
	return names
}

// unknownVariable is unknownVariables as an error, for the first.
func unknownVariable(flags []urfave.Flag, environ []string) error {
	for _, v := range unknownVariables(flags, environ) {
		return inEnvironment(v, flags)
	}
	return nil
}

// warnOfVariables says which variables are ignored.
func warnOfVariables(command string, flags []urfave.Flag) {
	for _, v := range unknownVariables(flags, os.Environ()) {
		m := message{name: command, kind: "warning", text: inEnvironment(v, flags).Error() + ", and ignored"}
		if h := (hintedError{}); errors.As(inEnvironment(v, flags), &h) {
			m.hint = h.hint
		}
		m.print(wantsJSON())
	}
}

// inEnvironment is noSuchFlag for a variable.
func inEnvironment(variable string, flags []urfave.Flag) error {
	err := UsageError("%s in the environment is the variable of no flag", variable)
	name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "SLUICE_")), "_", "-")
	all := slices.Concat(namesOf(flags), shared, slices.Sorted(maps.Keys(owners)))
	all = slices.DeleteFunc(all, func(flag string) bool { return flag == "version" || flag == "help" }) // which have none
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

// dashed returns a flag as it is written: --name, -n.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// aboutFlag is how an error of wrong usage begins that is about one flag, as the user gave it.
var aboutFlag = regexp.MustCompile(`^(?:-{1,2}([a-z-]+)|(SLUICE_[A-Z_]+) in the environment)\b`)

// withHelp adds to an error of wrong usage that has no hint what --help says of the flag that
// it is about.
func (a *App) withHelp(err error) error {
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
			return WithHint(err, "%s: %s", title, text)
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

// noSuchFlag is an error about the flag name that a command does not have, or not as it
// was written.
func noSuchFlag(name, written string, flags []urfave.Flag) error {
	if owner, ok := owners[name]; ok && owner != "gauge" {
		return WithHint(UsageError("--%s is a flag of the %s", name, owner), "%s --help shows it", owner)
	}
	err := unknownFlag{UsageError("there is no flag %s", written), name}
	if near := nearest(name, namesOf(flags)); near != "" {
		return WithHint(err, "did you mean --%s?", near)
	}
	return WithHint(err, "--help lists the flags")
}

// flagOfAnother adds to err which of the commands have the flag that a has not.
func (a *App) flagOfAnother(err error) error {
	var u unknownFlag
	if !errors.As(err, &u) || slices.Contains(namesOf(a.Flags), u.name) {
		return err
	}
	having := a.commands(func(c *App) bool { return u.name != "version" && slices.Contains(namesOf(c.Flags), u.name) })
	if having == "" {
		return err
	}
	return WithHint(u.error, "it is a flag of %s", having)
}

// argumentOfAnother adds to err which of the commands take an argument.
func (a *App) argumentOfAnother(err error) error {
	taking := a.commands(func(c *App) bool { return c.Argument != "" })
	if taking == "" {
		return err
	}
	return WithHint(err, "a name is an argument of %s", taking)
}

// commands lists those of a, or those beside it, of which is holds; "" = none.
func (a *App) commands(is func(*App) bool) string {
	all := a
	if a.of != nil {
		all = a.of
	}
	var names []string
	for i := range all.Commands {
		if is(&all.Commands[i]) {
			names = append(names, all.Commands[i].Name)
		}
	}
	last := len(names) - 1
	switch last {
	case -1:
		return ""
	case 0:
		return all.Name + " " + names[0]
	}
	return all.Name + " " + strings.Join(names[:last], ", ") + " and " + names[last]
}

func (a *App) noSuchCommand(name string) error {
	var names []string
	for _, sub := range a.Commands {
		names = append(names, sub.Name)
	}
	if near := nearest(name, names); near != "" {
		return WithHint(UsageError("there is no command %q", name), "did you mean %s?", near)
	}
	return WithHint(UsageError("there is no command %q", name), "there are %s", strings.Join(names, ", "))
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

// wanted says what a flag takes instead of value. Those with a parser of their own have
// said it already, in cause.
func wanted(flags []urfave.Flag, name, value, cause string) string {
	for _, f := range flags {
		if _, is := f.(*urfave.BoolFlag); is && slices.Contains(f.Names(), name) {
			return fmt.Sprintf("invalid value %q: want true or false", value)
		}
	}
	return strings.TrimSpace(cause)
}
