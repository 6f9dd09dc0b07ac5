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

// ParseProgram parses args for a program in scripts/, which uses package flag and has no
// arguments. usage is a one-line description of the program. With --help or --version, with or
// without dashes, it prints the text to standard output and returns done. Errors are usage
// errors with a hint, for [Exit].
func ParseProgram(flags *flag.FlagSet, usage string, args []string) (done bool, err error) {
	flags.SetOutput(io.Discard)
	version := flags.Bool(versionFlag, false, "print the version, the commit, the Go version and the version of the segment layout")
	if len(args) == 1 && (args[0] == "help" || args[0] == "version") {
		args = []string{"--" + args[0]}
	}
	err = flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(os.Stdout, programHelp(flags, usage))
		return true, errors.Join(checkStdout(), err)
	case err != nil:
		return true, WithHint(UsageError("%s", twoDashes(err.Error())), "--help lists the flags")
	case *version:
		return true, errors.Join(checkStdout(), versionOf(flags.Name()).print(os.Stdout, false))
	case flags.NArg() > 0:
		return true, WithHint(UsageError("unexpected argument %q", flags.Arg(0)), "--help lists the flags")
	}
	return false, nil
}

// programHelp returns the text of --help in the format of [App].
func programHelp(flags *flag.FlagSet, usage string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s - %s\n\nUsage: %[1]s [options]\n\n", flags.Name(), usage)
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if value != "" && f.DefValue != "" {
			text += " (default: " + f.DefValue + ")"
		}
		writeEntry(&b, strings.TrimSpace("--"+f.Name+" "+strings.ToUpper(value)), text)
	})
	writeEntry(&b, "--help, -h", "print this help")
	return b.String()
}

// oneDash matches a flag in an error of package flag.
var oneDash = regexp.MustCompile(` -([a-z])`)

// twoDashes rewrites flags in an error of package flag as --help shows them.
func twoDashes(text string) string {
	return oneDash.ReplaceAllString(strings.TrimSuffix(text, ": parse error"), " --$1")
}
