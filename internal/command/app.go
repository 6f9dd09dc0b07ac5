// Package command is what the commands share: how flags are parsed, how a
// command is told to stop, and how an error becomes a line and an exit code.
package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// App describes a command, or one of its commands.
type App struct {
	Name     string
	Usage    string // one line
	About    string // a paragraph or two
	Examples []string
	Flags    []cli.Flag
	File     string // the flag that names a file or a segment, for those who leave it out
	Commands []App  // each without commands of its own

	// Run does the work until it is done or ctx is. The causes of ctx that
	// stand for an orderly stop may be returned as they are.
	Run func(ctx context.Context, c *cli.Context) error
}

// Main runs the command with the process's arguments and returns its exit
// code. Errors are printed, one line each.
func Main(a App) int {
	// A closed pipe at the output is an error to report, not a death.
	signal.Ignore(unix.SIGPIPE)
	app := &cli.App{
		Name:                 a.Name,
		Usage:                a.Usage,
		Description:          a.description(),
		UsageText:            a.Name + " [options]",
		Flags:                a.Flags,
		HideHelpCommand:      true,
		HideVersion:          true,
		EnableBashCompletion: true,
		OnUsageError:         a.usageError,
		ExitErrHandler:       func(*cli.Context, error) {}, // it would exit past every deferred call
		Action:               a.action(a.Name),
	}
	addEnv(a.Flags)
	for _, sub := range a.Commands {
		addEnv(sub.Flags)
		app.UsageText = a.Name + " command [options]"
		app.Commands = append(app.Commands, &cli.Command{
			Name: sub.Name, Usage: sub.Usage, Description: sub.description(), UsageText: a.Name + " " + sub.Name + " [options]",
			Flags: sub.Flags, HideHelpCommand: true, OnUsageError: sub.usageError, Action: sub.action(a.Name),
		})
	}
	return exit(a.Name, app.Run(os.Args))
}

func (a *App) description() string {
	if len(a.Examples) == 0 {
		return a.About
	}
	return a.About + "\n\nExamples:\n\n   " + strings.Join(a.Examples, "\n   ")
}

func (a *App) usageError(_ *cli.Context, err error, _ bool) error { return mistake(err, a.Flags) }

// action runs the command called name, unless there is a stray argument.
func (a *App) action(name string) cli.ActionFunc {
	return func(c *cli.Context) error {
		switch {
		case c.Args().Present() && len(a.Commands) > 0:
			return a.noSuchCommand(c.Args().First())
		case c.Args().Present() && a.File != "":
			return Usage("stray argument %q: did you mean --%s %[1]s?", c.Args().First(), a.File)
		case c.Args().Present():
			return Usage("stray argument %q", c.Args().First())
		}
		ctx, stop := untilStopped(name)
		defer stop()
		return a.Run(ctx, c)
	}
}

// addEnv gives each flag its environment variable: SLUICE_ and its name.
func addEnv(flags []cli.Flag) {
	for _, f := range flags {
		env := []string{"SLUICE_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))}
		switch f := f.(type) {
		case *cli.StringFlag:
			f.EnvVars = env
		case *cli.DurationFlag:
			f.EnvVars = env
		case *cli.Uint64Flag:
			f.EnvVars = env
		case *cli.IntFlag:
			f.EnvVars = env
		case *cli.Float64Flag:
			f.EnvVars = env
		case *cli.BoolFlag:
			f.EnvVars = env
		case *cli.GenericFlag:
			f.EnvVars = env
		default:
			panic(fmt.Sprintf("no environment variable for a flag of type %T", f))
		}
	}
}
