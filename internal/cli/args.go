package cli

import (
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
)

// reorderArgs returns the arguments in the form that the flag parser needs: "help" becomes
// --help, "version" becomes --version, and arguments come after flags. With --help, arguments
// that are not commands are dropped, because the parser takes them for help topics.
func (a *App) reorderArgs(args []string) []string {
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
		case takesValue(arg, flags) && len(rest) > 1:
			front = append(front, arg, rest[1])
			rest = rest[1:]
		case takesValue(arg, flags): // without its value: an argument must not become it
			return slices.Concat(args[:first], front, rest)
		default:
			front = append(front, arg)
			help = help || arg == "--help" || arg == "-help" || arg == "-h" || arg == "--h"
		}
	}
	if help && (first > 0 || len(back) == 0 || a.commandPath(back) == a.Name) {
		return slices.Concat(args[:first], front)
	}
	return slices.Concat(args[:first], front, back)
}

// takesValue reports whether the argument after arg is its value.
func takesValue(arg string, flags []urfave.Flag) bool {
	name := strings.TrimLeft(arg, "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*urfave.BoolFlag)
			return !isBool
		}
	}
	return false
}

// unsetEmptyVariables unsets empty variables, because the flag parser rejects an empty value
// for some kinds of flags.
func unsetEmptyVariables() {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "SLUICE_") {
			os.Unsetenv(name)
		}
	}
}
