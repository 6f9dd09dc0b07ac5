package cli

import (
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
)

// arrange returns the arguments as the flag parser takes them: "help" is --help, also of a
// command, "version" is --version, and what is no flag stands behind the flags. Beside
// --help it is left out, unless it is a command: the parser would look for a topic of that name.
func (a *App) arrange(args []string) []string {
	if len(args) == 0 {
		return args
	}
	switch args[0] {
	case "help":
		if len(args) > 1 && len(a.Commands) > 0 && !strings.HasPrefix(args[1], "-") {
			return []string{args[1], "--help"}
		}
		return []string{"--help"}
	case "version":
		return append([]string{"--version"}, args[1:]...)
	}
	flags := a.Flags
	first := 0
	for _, sub := range a.Commands {
		if args[0] == sub.Name {
			flags, first = sub.Flags, 1
		}
	}
	var front, back []string
	help := false
	for rest := args[first:]; len(rest) > 0; rest = rest[1:] {
		arg := rest[0]
		switch {
		case arg == "--" && !help:
			back = append(back, rest...)
			return slices.Concat(args[:first], front, back)
		case arg == "--":
			return slices.Concat(args[:first], front)
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			back = append(back, arg)
		case takesNext(arg, flags) && len(rest) > 1:
			front = append(front, arg, rest[1])
			rest = rest[1:]
		case takesNext(arg, flags): // its value is missing, and must not be what is no flag
			return slices.Concat(args[:first], front, rest)
		default:
			front = append(front, arg)
			help = help || arg == "--help" || arg == "-help" || arg == "-h" || arg == "--h"
		}
	}
	if help && (first > 0 || len(back) == 0 || a.called(back) == a.Name) {
		return slices.Concat(args[:first], front)
	}
	return slices.Concat(args[:first], front, back)
}

// takesNext reports whether the argument after arg is its value.
func takesNext(arg string, flags []urfave.Flag) bool {
	name := strings.TrimLeft(arg, "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, is := f.(*urfave.BoolFlag)
			return !is
		}
	}
	return false
}

// dropEmpty unsets the variables that are empty: for every kind of flag the same as unset.
func dropEmpty() {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "SLUICE_") {
			os.Unsetenv(name)
		}
	}
}
