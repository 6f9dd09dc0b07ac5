package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// ParseProgram parses the flags of a program of scripts/, which takes flags of package flag
// and no arguments. usage is the line that says what it is for. With --help or --version,
// also without the dashes, it prints that on standard output, and there is nothing more to
// do. Errors are of wrong usage, with a hint, for [Exit].
func ParseProgram(flags *flag.FlagSet, usage string, args []string) (done bool, err error) {
	flags.SetOutput(io.Discard)
	version := flags.Bool(versionFlag, false, "print version, commit, Go and the version of the segment layout")
	if len(args) == 1 && (args[0] == "help" || args[0] == "version") {
		args = []string{"--" + args[0]}
	}
	err = flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(os.Stdout, programHelp(flags, usage))
		return true, errors.Join(canPrint(), err)
	case err != nil:
		return true, WithHint(UsageError("%s", twoDashes(err.Error())), "--help lists the flags")
	case *version:
		return true, errors.Join(canPrint(), versionOf(flags.Name()).print(os.Stdout, false))
	case flags.NArg() > 0:
		return true, WithHint(UsageError("unexpected argument %q", flags.Arg(0)), "--help lists the flags")
	}
	return false, nil
}

// programHelp is in the form of --help of the commands.
func programHelp(flags *flag.FlagSet, usage string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s - %s\n\nUsage: %[1]s [options]\n\n", flags.Name(), usage)
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if value != "" && f.DefValue != "" {
			text += " (default: " + f.DefValue + ")"
		}
		entry(&b, strings.TrimSpace("--"+f.Name+" "+strings.ToUpper(value)), text)
	})
	entry(&b, "--help, -h", "print this")
	return b.String()
}

// oneDash is a flag as the errors of package flag have it.
var oneDash = regexp.MustCompile(` -([a-z])`)

// twoDashes writes flags in an error as --help does, and leaves out what says nothing.
func twoDashes(text string) string {
	return oneDash.ReplaceAllString(strings.TrimSuffix(text, ": parse error"), " --$1")
}
