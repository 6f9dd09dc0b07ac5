// Package cli has what all commands share: flags, signals, and how an error becomes a message
// and an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice/internal/netpoll"
	"sluice/internal/stdio"
	"sluice/internal/systemd"
	"sluice/shm"
)

// App describes a command, or a subcommand of one.
type App struct {
	Name     string
	Usage    string // one line
	About    string // a paragraph or two
	Examples []string
	Flags    []urfave.Flag
	File     string                // the flag that names a file, for a hint when it is missing before one
	IsFile   func(arg string) bool // whether arg may be a value of File; nil = any may
	Argument string                // the flag whose value may be given without the flag, "" = none
	Commands []App                 // subcommands, which have none themselves
	Prints   bool                  // it writes to standard output, which must not be closed

	// ErrorRules are for errors that only this command has; those of a subcommand do not count.
	ErrorRules []ErrorRule

	parent *App   // nil for a command that is not a subcommand
	typed  string // what users type instead of Name, "" = Name

	// Run runs until the work or ctx is done. ErrStopped may be returned as it is.
	Run func(ctx context.Context, c *urfave.Context) error
}

// Main runs the command with the arguments of the process, prints its error as Exit does, and
// returns the exit code.
func Main(a App) int {
	// A closed pipe at the output is reported as an error (EPIPE).
	signal.Ignore(unix.SIGPIPE)
	hasJSON = a.commandsWhere(func(c *App) bool { return slices.Contains(namesOf(c.Flags), "json") }) != ""
	if err := netpoll.Start(); err != nil {
		err = fmt.Errorf("start the runtime's poller: %w", err)
		m := messageFor(a.Name, err)
		fmt.Fprintln(os.Stderr, strings.Join(m.lines(wantsJSON()), "\n"))
		return m.code
	}
	unsetEmptyVariables()
	addErrorRules(a.ErrorRules)
	a.Flags = withVersion(checked(a.Flags))
	for i := range a.Commands {
		a.Commands[i].Flags, a.Commands[i].parent = withVersion(checked(a.Commands[i].Flags)), &a
	}
	if typed := installedName(a.Name); typed != a.Name && filepath.Base(os.Args[0]) == typed {
		a.rename(typed)
	}
	if done, err := a.generate(os.Args[1:]); done {
		return Exit(a.Name, false, err)
	}
	os.Args = append(os.Args[:1:1], a.reorderArgs(os.Args[1:])...)
	app := &urfave.App{
		Name:                  a.Name,
		Flags:                 a.Flags,
		HideHelpCommand:       true,
		HideVersion:           true,
		CustomAppHelpTemplate: a.help(a.Name),
		OnUsageError:          a.usageError,
		ExitErrHandler:        func(*urfave.Context, error) {}, // the default one exits, without deferred calls
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
		if helpErr = checkStdout(); helpErr == nil {
			_, helpErr = io.WriteString(out, text)
		}
	}
	err := errors.Join(app.Run(os.Args), helpErr)
	return Exit(a.commandPath(os.Args[1:]), wantsJSON(), err)
}

// generate prints the manual page or completions if args ask for them.
func (a *App) generate(args []string) (done bool, err error) {
	switch last := len(args) - 1; {
	case last == 0 && args[0] == generateMan:
		return true, errors.Join(checkStdout(), a.printMan(os.Stdout))
	case last >= 0 && args[last] == generateCompletion:
		return true, errors.Join(checkStdout(), a.printCompletions(os.Stdout, args[:last]))
	}
	return false, nil
}

const versionFlag = "version"

// withVersion adds --version, which Main handles. It is the only flag without an environment
// variable.
func withVersion(flags []urfave.Flag) []urfave.Flag {
	return append(flags, &urfave.BoolFlag{Name: versionFlag, Usage: "print the version, the commit, the Go version and the version of the segment layout"})
}

// commandPath returns the name of the command, with the subcommand in args after a space.
func (a *App) commandPath(args []string) string {
	for _, sub := range a.Commands {
		if len(args) > 0 && args[0] == sub.Name {
			return a.Name + " " + sub.Name
		}
	}
	return a.Name
}

func (a *App) usageError(_ *urfave.Context, err error, _ bool) error {
	return a.hintFromHelp(a.hintFlagOwners(a.rewordParseError(err)))
}

// action runs the command called name.
func (a *App) action(name string) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		if c.Bool(versionFlag) {
			if err := checkStdout(); err != nil {
				return err
			}
			return versionOf(name).print(os.Stdout, wantsJSON())
		}
		if err := a.parseArgument(c); err != nil {
			return err
		}
		if !systemd.Started() { // under systemd, ParseCommon returns an error
			warnOfVariables(name, a.Flags)
		}
		if a.Prints {
			if err := checkStdout(); err != nil {
				return err
			}
		}
		ctx, stop := withSignals(name)
		defer stop()
		return a.hintFromHelp(a.Run(ctx, c))
	}
}

// checkStdout returns an error if standard output is closed.
func checkStdout() error {
	return WithHint(stdio.Check(1), "redirect it to a file or a pipe, or > /dev/null%s", readWriteNote)
}

// parseArgument handles arguments that are not flags.
func (a *App) parseArgument(c *urfave.Context) error {
	first, n := c.Args().First(), c.NArg()
	switch {
	case n == 0:
		return nil
	case len(a.Commands) > 0:
		return a.noSuchCommand(first)
	case a.takesSeveral():
		for _, arg := range c.Args().Slice() {
			if err := c.Set(a.Argument, arg); err != nil {
				return WithHint(UsageError("%w", err), "--help describes valid names")
			}
		}
		return nil
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
		return WithHint(UsageError("unexpected argument %q in addition to %s", first, withDashes(a.Argument)), "give one --%s at a time", a.Argument)
	case a.Argument != "":
		if err := c.Set(a.Argument, first); err != nil {
			return WithHint(UsageError("%w", err), "--help describes valid names")
		}
		return nil
	case a.File != "" && (a.IsFile == nil || a.IsFile(first)):
		return a.fileWithoutFlag(first)
	}
	return a.hintArgumentOwners(UsageError("unexpected argument %q", first))
}

// takesSeveral reports whether any number of arguments may stand for the flag Argument. Where a
// flag names a file, one more argument is likely to be that file.
func (a *App) takesSeveral() bool {
	return a.File == "" && slices.ContainsFunc(a.Flags, func(f urfave.Flag) bool {
		generic, ok := f.(*urfave.GenericFlag)
		if !ok || generic.Name != a.Argument {
			return false
		}
		_, several := generic.Value.(*segmentNames)
		return several
	})
}

// fileWithoutFlag returns the error for an argument that may be a value of File.
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
		return WithHint(err, "did you mean --%s %s, or --name %[2]s?", a.File, arg) // for gauge the argument would be a name
	}
	return WithHint(err, "did you mean --%s %s?", a.File, arg)
}
