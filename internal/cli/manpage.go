package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/buildinfo"
)

// generateMan is the argument, not in --help, that makes a command print its manual page.
// `make man` and the packages use it.
const generateMan = "--generate-man"

// printMan writes the manual page, in man(7) macros, from the same texts as --help. It has the
// name that the command has where it is installed.
func (a *App) printMan(out io.Writer) error {
	p := &manPage{}
	name := installedName(a.Name)
	if name != a.toType() {
		a.rename(name)
	}
	p.line(`.TH %s 1 %s "sluice %s" "sluice manual"`, strings.ToUpper(name), buildDate(), versionOf(a.Name).Version)
	p.line(".SH NAME")
	p.text(name + ` \- ` + prose(a.Usage))

	p.line(".SH SYNOPSIS")
	p.line(".nf")
	p.line("%s", synopsis(name, a.usage()))
	for i := range a.Commands {
		p.line("%s", synopsis(name+" "+a.Commands[i].Name, a.Commands[i].usage()))
	}
	p.line(".fi")

	p.line(".SH DESCRIPTION")
	p.paragraphs(a.About)
	if len(a.Commands) > 0 {
		p.line(".SH COMMANDS")
		for i := range a.Commands {
			p.command(name, &a.Commands[i])
		}
	}
	p.line(".SH OPTIONS")
	p.text(prose(valuesNote))
	groups := a.flagGroups()
	for _, g := range groups {
		if len(groups) > 1 {
			p.line(".SS %s", g.title)
		}
		p.flags(g.flags)
	}
	p.item(code("--help")+", "+code("-h"), "print a summary of this page")

	p.line(".SH ENVIRONMENT")
	p.text(prose(environmentNote))
	p.line(".PP")
	p.text("The variables are " + strings.Join(a.variables(), ", ") + ".")
	p.line(".SH EXIT STATUS")
	for _, e := range exitCodesOf(a.Name) {
		p.item(code(fmt.Sprint(e.code)), e.means)
	}
	p.line(".SH SIGNALS")
	for _, s := range signalsOf(a.Name) {
		p.item(code(s.names), s.means)
	}
	p.line(".SH FILES")
	p.item(code("/dev/shm/sluice.")+variable("NAME"), "the segment: a header with the counters and, in ring mode, the messages")
	if a.commandsWhere(func(c *App) bool { return has(c.Flags, "context") }) != "" {
		p.item(code("$XDG_CONFIG_HOME/nats/context/")+variable("NAME")+code(".json"), "a context of the nats command, for --context; without that directory in ~/.config")
	} else {
		p.item(code("$XDG_RUNTIME_DIR/sluice/")+variable("NAME")+code(".sock"), "the socket of transfer mode, where --socket does not name another; without that directory "+
			"/run/user/UID/sluice/NAME.sock, else /tmp/sluice-UID/NAME.sock")
	}
	p.examples(".SH EXAMPLES", a.Examples)

	p.line(".SH SEE ALSO")
	var others []string
	for _, other := range []string{"consumer", "gauge", "producer", installedName("bridge")} {
		if other != name {
			others = append(others, code(other)+"(1)")
		}
	}
	p.text(strings.Join(append(others, `\fBshm_overview\fR(7)`), ", "))
	_, err := io.WriteString(out, p.String())
	return err
}

// buildDate returns the date of the commit that the command was built from, today's if the
// build has none. man shows it at the bottom of the page.
func buildDate() string {
	day := buildinfo.Read().Time
	if day.IsZero() {
		day = time.Now()
	}
	return day.UTC().Format(time.DateOnly)
}

// variables returns the environment variables of a and its subcommands, sorted.
func (a *App) variables() (names []string) {
	flags := slices.Clone(a.Flags)
	for _, sub := range a.Commands {
		flags = append(flags, sub.Flags...)
	}
	for _, f := range flags {
		if name := f.Names()[0]; name != versionFlag {
			names = append(names, code(envOf(name)))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// manPage collects lines of man(7).
type manPage struct{ strings.Builder }

func (p *manPage) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// text writes words, wrapped.
func (p *manPage) text(words string) {
	const width = 78
	line := ""
	for _, w := range strings.Fields(words) {
		if line != "" && len(line)+1+len(w) > width {
			p.line("%s", line)
			line = ""
		}
		switch {
		case line != "":
			line += " " + w
		case w[0] == '.' || w[0] == '\'': // not a macro
			line = `\&` + w
		default:
			line = w
		}
	}
	p.line("%s", line)
}

// paragraphs writes text whose paragraphs are separated by empty lines.
func (p *manPage) paragraphs(text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		p.text(prose(paragraph))
	}
}

// item writes a tagged paragraph. title is in man(7) already, text is plain.
func (p *manPage) item(title, text string) {
	p.line(".TP\n%s", title)
	p.text(prose(text))
}

func (p *manPage) flags(flags []urfave.Flag) {
	for _, f := range flags {
		var names []string
		for _, n := range f.Names() {
			names = append(names, code(withDashes(n)))
		}
		title := strings.Join(names, ", ")
		if value, takes := metavar(f); takes {
			title += " " + variable(value)
		}
		_, text := describe(f)
		p.item(title, text)
	}
}

// command writes the section of a subcommand.
func (p *manPage) command(name string, sub *App) {
	p.line(".SS %s", synopsis(name+" "+sub.Name, sub.usage()))
	p.text(prose(sentence(sub.Usage)))
	if sub.About != "" {
		p.line(".PP")
		p.paragraphs(sub.About)
	}
	for _, g := range sub.flagGroups() {
		p.flags(slices.DeleteFunc(g.flags, func(f urfave.Flag) bool { return f.Names()[0] == versionFlag }))
	}
	p.examples(".PP\nExamples:", sub.Examples)
}

// examples writes commands, each with its description, which two or more spaces separate.
func (p *manPage) examples(heading string, examples []string) {
	if len(examples) == 0 {
		return
	}
	p.line("%s", heading)
	for _, e := range examples {
		command, text, explained := strings.Cut(e, "  ")
		p.line(".TP\n%s", code(command))
		if explained {
			p.text(prose(sentence(strings.TrimSpace(text))))
		} else {
			p.line(`\&`)
		}
	}
}

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// synopsis returns a synopsis with the command in bold.
func synopsis(command, rest string) string {
	return code(command) + " " + strings.NewReplacer("-", `\-`).Replace(rest)
}

// code returns text in bold, for what is typed literally.
func code(s string) string {
	return `\fB` + strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s) + `\fR`
}

// variable returns text in italics, for what is replaced by a value.
func variable(s string) string { return `\fI` + s + `\fR` }

// prose escapes plain text; the hyphens of flags in it stay hyphens.
func prose(s string) string {
	words := strings.Fields(strings.ReplaceAll(s, `\`, `\e`))
	for i, w := range words {
		if bare := strings.TrimLeft(w, `("`); strings.HasPrefix(bare, "-") {
			words[i] = strings.ReplaceAll(w, "-", `\-`)
		}
	}
	return strings.Join(words, " ")
}
