package cli

import (
	"regexp"
	"strings"
)

// installedName returns the name of a command where it is installed: iproute2 has a command
// bridge, too.
func installedName(command string) string {
	if command == "bridge" {
		return "sluice-bridge"
	}
	return command
}

// rename changes the name of the command in its help and in its manual page, which say what to
// type. Messages keep App.Name.
func (a *App) rename(typed string) {
	whole := regexp.MustCompile(`\b` + regexp.QuoteMeta(a.Name) + ` `)
	more := strings.Repeat(" ", len(typed)-len(a.Name))
	renamed := func(examples []string) (all []string) {
		for _, e := range examples {
			if at := whole.FindStringIndex(e); at != nil {
				e = e[:at[0]] + typed + " " + e[at[1]:]
			} else { // keeps the descriptions in one column
				e = strings.Replace(e, "  ", "  "+more, 1)
			}
			all = append(all, e)
		}
		return all
	}
	a.typed, a.Examples = typed, renamed(a.Examples)
	for i := range a.Commands {
		a.Commands[i].Examples = renamed(a.Commands[i].Examples)
	}
}

// toType returns the name of the command, or of the one that it is a subcommand of.
func (a *App) toType() string {
	if a.parent != nil {
		return a.parent.toType()
	}
	if a.typed != "" {
		return a.typed
	}
	return a.Name
}
