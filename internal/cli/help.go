package cli

import (
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
)

// groups is the order in which --help shows flags.
var groups = []struct {
	title string
	flags []string
}{
	{"Segment", []string{"name", "mode", "capacity", "slots", "fresh", "keep", "group", "yes"}},
	{"Messages", []string{"size", "input", "output", "framing", "chunk", "verify"}},
	{"Pace and end", []string{"rate", "burst", "work", "count", "duration", "follow", "drain"}},
	{"Back-pressure", []string{"on-full", "spin"}},
	{"Transfer mode", []string{"socket", "limit", "buffer", "recycle"}},
	{"Reports", []string{"report", "format", "json", "interval", "listen"}},
	{otherGroup, nil},
}

const otherGroup = "Other"

const (
	helpWidth  = 100 // columns
	helpIndent = 28  // of what a flag means
)

// exitCodes is what --help says of them.
var exitCodes = []struct {
	code     int
	means    string
	commands string // that have it, those of gauge without gauge; "" = all
}{
	{ExitOK, "done in good order", ""},
	{ExitFailed, "failed while running", ""},
	{ExitUsage, "wrong usage", ""},
	{ExitFault, "--verify found a fault", "consumer"},
	{ExitRoleTaken, "the role is taken by a live process", "producer consumer gauge rm"},
	{ExitLimit, "a limit was reached (--on-full fail, --limit)", "producer"},
	{ExitCorrupt, "the segment or the peer is corrupt or of another version", ""},
	{ExitIncomplete, "the stream is not complete: its producer failed, or was stopped before its end, or messages were lost", "consumer"},
}

// help returns the text of --help. command is as Exit has it.
func (a *App) help(command string) string {
	var b strings.Builder
	usage := command + " [options]"
	switch {
	case a.Argument != "":
		usage += " [" + strings.ToUpper(a.Argument) + "]"
	case len(a.Commands) > 0:
		usage = command + " command [options]"
	}
	fmt.Fprintf(&b, "%s - %s\n\nUsage: %s\n", command, a.Usage, usage)
	if a.About != "" {
		fmt.Fprintf(&b, "\n%s\n", a.About)
	}
	if len(a.Examples) > 0 {
		fmt.Fprintf(&b, "\nExamples:\n  %s\n", strings.Join(a.Examples, "\n  "))
	}
	if len(a.Commands) > 0 {
		b.WriteString("\nCommands (gauge help COMMAND shows the flags of one):\n")
		for _, sub := range a.Commands {
			entry(&b, sub.Name, sub.Usage)
		}
	}
	a.helpFlags(&b)
	b.WriteString("\nEach flag has an environment variable: --on-full is SLUICE_ON_FULL. An empty one counts as unset.\n" +
		"Sizes are 4096, 64KiB, 1MiB; times 250ms, 5s, 1m; numbers are decimal.\n")
	b.WriteString("\nExit codes:\n")
	for _, e := range exitCodes {
		if e.commands == "" || slices.Contains(strings.Fields(e.commands), command[strings.LastIndexByte(command, ' ')+1:]) {
			entry(&b, fmt.Sprint(e.code), e.means)
		}
	}
	b.WriteString("\nSignals:\n")
	order, atOnce := "stop in good order", "leave at once"
	switch command {
	case "producer":
		order += "; what a transfer has queued is delivered, or lost where there is no consumer"
		fallthrough
	case "consumer":
		atOnce += ", and say what that loses"
	}
	entry(&b, "INT, TERM, HUP", order+"; one that was ignored at the start stays ignored")
	entry(&b, "a second one", atOnce)
	return b.String()
}

// helpFlags writes the flags in their groups.
func (a *App) helpFlags(b *strings.Builder) {
	of := map[string][]urfave.Flag{}
	for _, f := range a.Flags {
		group := groupOf(f)
		of[group] = append(of[group], f)
	}
	for _, g := range groups {
		if len(of[g.title]) == 0 && g.title != otherGroup {
			continue
		}
		fmt.Fprintf(b, "\n%s:\n", g.title)
		slices.SortStableFunc(of[g.title], func(x, y urfave.Flag) int {
			return slices.Index(g.flags, x.Names()[0]) - slices.Index(g.flags, y.Names()[0])
		})
		for _, f := range of[g.title] {
			helpFlag(b, f)
		}
		if g.title == otherGroup {
			entry(b, "--help, -h", "print this")
		}
	}
}

func groupOf(f urfave.Flag) string {
	if in, ok := f.(urfave.CategorizableFlag); ok && in.GetCategory() != "" {
		return in.GetCategory()
	}
	for _, g := range groups {
		if slices.Contains(g.flags, f.Names()[0]) {
			return g.title
		}
	}
	return otherGroup
}

// helpFlag writes one flag.
func helpFlag(b *strings.Builder, f urfave.Flag) {
	title, text := describe(f)
	entry(b, title, text)
}

// describe returns the names of a flag with what it takes, which stands in back quotes in
// the text, and the text with the default.
func describe(f urfave.Flag) (title, text string) {
	doc := f.(urfave.DocGenerationFlag)
	value, text := cutValue(doc.GetUsage())
	var names []string
	for _, n := range f.Names() {
		names = append(names, dashed(n))
	}
	title = strings.Join(names, ", ")
	_, flagOnly := f.(*urfave.BoolFlag)
	if !flagOnly {
		title += " " + value
	}
	if d := defaultOf(doc); d != "" && !flagOnly {
		text += " (default: " + d + ")"
	}
	return title, text
}

func cutValue(usage string) (value, text string) {
	before, rest, found := strings.Cut(usage, "`")
	value, after, closed := strings.Cut(rest, "`")
	if !found || !closed {
		return "VALUE", usage
	}
	return value, before + value + after
}

func defaultOf(f urfave.DocGenerationFlag) string {
	switch d := strings.Trim(f.GetDefaultText(), `"`); d {
	case "0s":
		return "0"
	default:
		return d
	}
}

// entry writes a name, and beside it the text, as many lines as it takes.
func entry(b *strings.Builder, name, text string) {
	line := fmt.Sprintf("  %-*s", helpIndent-2, name)
	if len(name) > helpIndent-4 {
		fmt.Fprintf(b, "  %s\n", name)
		line = strings.Repeat(" ", helpIndent)
	}
	start := len(line)
	for _, word := range strings.Fields(text) {
		if len(line) > start && len(line)+1+len(word) > helpWidth {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", helpIndent)
			start = len(line)
		}
		if len(line) > start {
			line += " "
		}
		line += word
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
