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
	{"Segment", []string{"name", "to", "weight", "mode", "capacity", "slots", "fresh", "keep", "populate", "group", "yes"}},
	{"Stream", []string{"stream", "subject", "max-bytes", "storage", "replicas", "in-flight", "skip-missing"}},
	{"Connection", []string{"nats", "context", "creds", "nkey", "tls-ca", "tls-cert", "tls-key"}},
	{"Server", []string{"store", "config", "max-payload"}},
	{"Messages", []string{"size", "input", "output", "framing", "source", "chunk", "verify", "messages", "bytes"}},
	{"Pace and end", []string{"rate", "burst", "arrivals", "open-loop", "work", "count", "duration", "follow", "drain"}},
	{"Back-pressure", []string{"on-full", "block-timeout", "spin"}},
	{"Transfer mode", []string{"socket", "limit", "on-limit", "resume-at", "buffer", "recycle"}},
	{"Reports", []string{"report", "format", "json", "interval", "listen"}},
	{otherGroup, nil},
}

const otherGroup = "Other"

const (
	helpWidth  = 100 // columns
	helpIndent = 28  // columns before the description of a flag
)

// exitCode is an exit code as --help shows it.
type exitCode struct {
	code     int
	means    string
	commands string // the commands that have it, subcommands without their command; "" = all
}

var exitCodes = []exitCode{
	{ExitOK, "completed, or stopped cleanly", ""},
	{ExitFailed, "failed while running", ""},
	{ExitUsage, "wrong usage", ""},
	{ExitFault, "--verify found a fault", "consumer"},
	{ExitRoleTaken, "the role is taken by a live process", "producer consumer gauge rm"},
	{ExitRoleTaken, "the role is taken by a live process, or the subject by another bridge", "bridge out in"},
	{ExitLimit, "a limit was reached (--on-full fail, --limit with --on-limit exit)", "producer"},
	{ExitCorrupt, "the segment or the peer is corrupt or of another version", ""},
	{ExitIncomplete, "the stream is incomplete: its producer failed or was stopped early, or messages were lost", "consumer"},
	{ExitIncomplete, "the stream of the ring is incomplete, or messages are missing from that of the server", "bridge out in"},
}

// Notes in --help and in the manual page.
const (
	environmentNote = "Each flag has an environment variable: --on-full is SLUICE_ON_FULL. An empty variable is ignored, and so is one whose flag belongs to another command or to the other mode: one environment can serve all of them."
	valuesNote      = "Examples of sizes: 4096, 64KiB, 1MiB; of times: 250ms, 5s, 1m. Numbers are decimal."
)

// usage returns the synopsis without the name of the command.
func (a *App) usage() string {
	switch {
	case a.takesSeveral():
		return "[options] [" + strings.ToUpper(a.Argument) + "...]"
	case a.Argument != "":
		return "[options] [" + strings.ToUpper(a.Argument) + "]"
	case len(a.Commands) > 0:
		return "command [options]"
	}
	return "[options]"
}

// help returns the text of --help. command is as for Exit.
func (a *App) help(command string) string {
	var b strings.Builder
	typed := a.toType() + strings.TrimLeftFunc(command, func(r rune) bool { return r != ' ' })
	fmt.Fprintf(&b, "%s - %s\n\nUsage: %s %s\n", typed, a.Usage, typed, a.usage())
	if a.About != "" {
		fmt.Fprintf(&b, "\n%s\n", a.About)
	}
	if len(a.Examples) > 0 {
		fmt.Fprintf(&b, "\nExamples:\n  %s\n", strings.Join(a.Examples, "\n  "))
	}
	if len(a.Commands) > 0 {
		fmt.Fprintf(&b, "\nCommands (%s help COMMAND shows the flags of one):\n", typed)
		for _, sub := range a.Commands {
			writeEntry(&b, sub.Name, sub.Usage)
		}
	}
	for _, g := range a.flagGroups() {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, f := range g.flags {
			title, text := describe(f)
			writeEntry(&b, title, text)
		}
		if g.title == otherGroup {
			writeEntry(&b, "--help, -h", "print this help")
		}
	}
	fmt.Fprintf(&b, "\n%s\n%s\n", environmentNote, valuesNote)
	b.WriteString("\nExit codes:\n")
	for _, e := range exitCodesOf(command) {
		writeEntry(&b, fmt.Sprint(e.code), e.means)
	}
	b.WriteString("\nSignals:\n")
	for _, s := range signalsOf(command) {
		writeEntry(&b, s.names, s.means)
	}
	return b.String()
}

// exitCodesOf returns the exit codes that a command has.
func exitCodesOf(command string) (codes []exitCode) {
	name := command[strings.LastIndexByte(command, ' ')+1:]
	for _, e := range exitCodes {
		if e.commands == "" || slices.Contains(strings.Fields(e.commands), name) {
			codes = append(codes, e)
		}
	}
	return codes
}

// signalMeaning is what some signals do, as --help shows it.
type signalMeaning struct{ names, means string }

func signalsOf(command string) []signalMeaning {
	first, second := "stop cleanly", "exit at once"
	switch command {
	case "producer":
		first += "; in transfer mode, queued messages are delivered first, or lost if there is no consumer"
		fallthrough
	case "consumer":
		second += ", and print what is lost"
	case "bridge", "bridge out", "bridge in":
		first += "; that does not end the stream of the ring: the next bridge goes on"
	}
	return []signalMeaning{
		{"INT, TERM, HUP", first + "; a signal that was ignored at startup stays ignored"},
		{"a second one", second},
	}
}

// flagGroup is a group of flags as --help shows it.
type flagGroup struct {
	title string
	flags []urfave.Flag
}

// flagGroups returns the flags of a in their groups. The last one is otherGroup.
func (a *App) flagGroups() (filled []flagGroup) {
	of := map[string][]urfave.Flag{}
	for _, f := range a.Flags {
		group := groupOf(f)
		of[group] = append(of[group], f)
	}
	for _, g := range groups {
		if len(of[g.title]) == 0 && g.title != otherGroup {
			continue
		}
		slices.SortStableFunc(of[g.title], func(x, y urfave.Flag) int {
			return slices.Index(g.flags, x.Names()[0]) - slices.Index(g.flags, y.Names()[0])
		})
		filled = append(filled, flagGroup{g.title, of[g.title]})
	}
	return filled
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

// describe returns the names of a flag with the name of its value, which is in back quotes in
// the usage text, and that text with the default.
func describe(f urfave.Flag) (title, text string) {
	doc := f.(urfave.DocGenerationFlag)
	_, text = cutValue(doc.GetUsage())
	var names []string
	for _, n := range f.Names() {
		names = append(names, withDashes(n))
	}
	title = strings.Join(names, ", ")
	value, takes := metavar(f)
	if takes {
		title += " " + value
	}
	if d := defaultOf(doc); d != "" && takes {
		text += " (default: " + d + ")"
	}
	return title, text
}

// metavar returns the name of a flag's value, and whether the flag has one.
func metavar(f urfave.Flag) (value string, takes bool) {
	_, alone := f.(*urfave.BoolFlag)
	value, _ = cutValue(f.(urfave.DocGenerationFlag).GetUsage())
	return value, !alone
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

// writeEntry writes a name and its description, wrapped, in two columns.
func writeEntry(b *strings.Builder, name, text string) {
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
