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

// App describes a command.
type App struct {
	Name     string
	Usage    string // one line
	About    string // a paragraph or two
	Examples []string
	Flags    []cli.Flag
	File     string // the flag that names a file, for those who leave it out

	// Run does the work until it is done or ctx is. The causes of ctx that
	// stand for an orderly stop may be returned as they are.
	Run func(ctx context.Context, c *cli.Context) error
}

// Main runs the command with the process's arguments and returns its exit
// code. Errors are printed, one line each.
func Main(a App) int {
	// A closed pipe at the output is an error to report, not a death.
	signal.Ignore(unix.SIGPIPE)
	for _, f := range a.Flags {
		addEnv(f)
	}
	app := &cli.App{
		Name:                 a.Name,
		Usage:                a.Usage,
		Description:          a.About + "\n\nExamples:\n\n   " + strings.Join(a.Examples, "\n   "),
		UsageText:            a.Name + " [options]",
		Flags:                a.Flags,
		HideHelpCommand:      true,
		HideVersion:          true,
		EnableBashCompletion: true,
		OnUsageError:         func(_ *cli.Context, err error, _ bool) error { return mistake(err, a.Flags) },
		ExitErrHandler:       func(*cli.Context, error) {}, // it would exit past every deferred call
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return Usage("stray argument %q: did you mean --%s %[1]s?", c.Args().First(), a.File)
			}
			ctx, stop := untilStopped(a.Name)
			defer stop()
			return a.Run(ctx, c)
		},
	}
	return exit(a.Name, app.Run(os.Args))
}

// addEnv gives a flag its environment variable: SLUICE_ and its name.
func addEnv(f cli.Flag) {
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
