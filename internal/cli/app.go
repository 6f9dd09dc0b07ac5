// Package cli is what the commands share: how flags are parsed, how a
// command is told to stop, and how an error becomes a line and an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/netpoll"
	"sluice/internal/stdio"
	"sluice/internal/systemd"
	"sluice/shm"
)

// App describes a command, or one of its commands.
type App struct {
	Name     string
	Usage    string // one line
	About    string // a paragraph or two
	Examples []string
	Flags    []urfave.Flag
	File     string                // the flag that names a file, for those who leave it out
	IsFile   func(arg string) bool // whether arg may be meant for File; nil = whatever it is
	Argument string                // the flag whose value may stand alone, "" = none
	Commands []App                 // each without commands of its own
	Prints   bool                  // on standard output, which has to be there
	of       *App                  // whose command it is, nil = nobody's

	// Run does the work until it is done or ctx is. The causes of ctx that
	// stand for an orderly stop may be returned as they are.
	Run func(ctx context.Context, c *urfave.Context) error
}

// Main runs the command with the process's arguments and returns its exit
// code. Errors are printed as Exit does.
func Main(a App) int {
	// A closed pipe at the output is an error to report, not a death.
	signal.Ignore(unix.SIGPIPE)
	hasJSON = a.commands(func(c *App) bool { return slices.Contains(namesOf(c.Flags), "json") }) != ""
	if err := netpoll.Start(); err != nil {
		err = fmt.Errorf("open what the runtime needs: %w", err)
		m := meant(a.Name, err)
		fmt.Fprintln(os.Stderr, strings.Join(m.lines(wantsJSON()), "\n"))
		return m.code
	}
	dropEmpty()
	a.Flags = withVersion(checked(a.Flags))
	for i := range a.Commands {
		a.Commands[i].Flags, a.Commands[i].of = withVersion(checked(a.Commands[i].Flags)), &a
	}
	if done, err := a.generate(os.Args[1:]); done {
		return Exit(a.Name, false, err)
	}
	os.Args = append(os.Args[:1:1], a.arrange(os.Args[1:])...)
	app := &urfave.App{
		Name:                  a.Name,
		Flags:                 a.Flags,
		HideHelpCommand:       true,
		HideVersion:           true,
		CustomAppHelpTemplate: a.help(a.Name),
		OnUsageError:          a.usageError,
		ExitErrHandler:        func(*urfave.Context, error) {}, // it would exit past every deferred call
		Action:                a.action(a.Name),
	}
	for _, sub := range a.Commands {
		app.Commands = append(app.Commands, &urfave.Command{
			Name: sub.Name, Usage: sub.Usage, Flags: sub.Flags, HideHelpCommand: true,
			CustomHelpTemplate: sub.help(a.Name + " " + sub.Name),
			OnUsageError:       sub.usageError, Action: sub.action(a.Name),
		})
	}
	var helpErr error
	urfave.HelpPrinter = func(out io.Writer, text string, _ any) {
		if helpErr = canPrint(); helpErr == nil {
			_, helpErr = io.WriteString(out, text)
		}
	}
	err := errors.Join(app.Run(os.Args), helpErr)
	return Exit(a.called(os.Args[1:]), wantsJSON(), err)
}

// generate prints what is not for people, when args ask for it.
func (a *App) generate(args []string) (done bool, err error) {
	switch last := len(args) - 1; {
	case last == 0 && args[0] == generateMan:
		return true, errors.Join(canPrint(), a.printMan(os.Stdout))
	case last >= 0 && args[last] == generateCompletion:
		return true, errors.Join(canPrint(), a.printCompletions(os.Stdout, args[:last]))
	}
	return false, nil
}

const versionFlag = "version"

// withVersion adds the flag that Main itself sees to. It is the only one without an
// environment variable.
func withVersion(flags []urfave.Flag) []urfave.Flag {
	return append(flags, &urfave.BoolFlag{Name: versionFlag, Usage: "print version, commit, Go and the version of the segment layout"})
}

// called returns the command's name, and after a space that of its command.
func (a *App) called(args []string) string {
	for _, sub := range a.Commands {
		if len(args) > 0 && args[0] == sub.Name {
			return a.Name + " " + sub.Name
		}
	}
	return a.Name
}

func (a *App) usageError(_ *urfave.Context, err error, _ bool) error {
	return a.withHelp(a.flagOfAnother(mistake(err, a.Flags)))
}

// action runs the command called name.
func (a *App) action(name string) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		if c.Bool(versionFlag) {
			if err := canPrint(); err != nil {
				return err
			}
			return versionOf(name).print(os.Stdout, wantsJSON())
		}
		if err := a.takeArgument(c); err != nil {
			return err
		}
		if !systemd.Started() { // there it is an error
			warnOfVariables(name, a.Flags)
		}
		if a.Prints {
			if err := canPrint(); err != nil {
				return err
			}
		}
		ctx, stop := untilStopped(name)
		defer stop()
		return a.withHelp(a.Run(ctx, c))
	}
}

// canPrint is an error where standard output is closed, and what is printed would be gone.
func canPrint() error {
	return WithHint(stdio.Check(1), "redirect it to a file or a pipe, or > /dev/null%s", bothWays)
}

// takeArgument takes what stands there without a flag.
func (a *App) takeArgument(c *urfave.Context) error {
	first, n := c.Args().First(), c.NArg()
	switch {
	case n == 0:
		return nil
	case len(a.Commands) > 0:
		return a.noSuchCommand(first)
	case a.Argument != "" && n > 1:
		second := c.Args().Get(1)
		switch {
		case a.File != "" && first == "-":
			return a.fileWithoutFlag(first)
		case a.File != "":
			return a.fileWithoutFlag(second)
		}
		return WithHint(UsageError("unexpected argument %q", second), "give one --%s at a time", a.Argument)
	case a.Argument != "" && SetOnCommandLine(c, a.Argument):
		return WithHint(UsageError("unexpected argument %q besides %s", first, dashed(a.Argument)), "give one --%s at a time", a.Argument)
	case a.Argument != "":
		if err := c.Set(a.Argument, first); err != nil {
			return WithHint(UsageError("%w", err), "--help says what a name is")
		}
		return nil
	case a.File != "" && (a.IsFile == nil || a.IsFile(first)):
		return a.fileWithoutFlag(first)
	}
	return a.argumentOfAnother(UsageError("unexpected argument %q", first))
}

// fileWithoutFlag is the error for an argument that may be meant for File.
func (a *App) fileWithoutFlag(arg string) error {
	err := UsageError("unexpected argument %q", arg)
	switch {
	case arg == "-" && a.File == "input":
		return WithHint(err, "did you mean --input -, which reads standard input?")
	case arg == "-":
		return WithHint(err, "did you mean --%s -, which writes to standard output?", a.File)
	case arg == "", arg[0] == '-':
		return WithHint(err, "--help lists the flags")
	case a.Argument == "" && slices.Contains(namesOf(a.Flags), "name") && shm.CheckName(arg) == nil:
		return WithHint(err, "did you mean --%s %s, or --name %[2]s?", a.File, arg) // gauge takes a name that stands alone
	}
	return WithHint(err, "did you mean --%s %s?", a.File, arg)
}
