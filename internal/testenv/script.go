package testenv

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// RunScripts runs the scripts in testdata/script, each as a parallel subtest with a name for
// a segment of its own: $NAME, which is SLUICE_NAME too, of the file $SEGMENT. Besides the
// commands of package testscript there are
//
//	exits CODE COMMAND ARG...
//	[!] says TEXT...
//
// exits runs a command and expects that exit code, and what [Process.WantError] expects of
// an error. says expects each text in the error and the hint of the last exits; with !, none
// of them.
func RunScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			name := newName()
			env.Defer(func() { removeSegment(name) })
			for key, value := range map[string]string{
				"PATH": BinDir() + ":" + env.Getenv("PATH"), "XDG_RUNTIME_DIR": runtimeDir(),
				"NAME": name, "SLUICE_NAME": name, "SEGMENT": SegmentPath(name),
			} {
				env.Setenv(key, value)
			}
			ReadSources()
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "says": says},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	if code != 0 {
		ts.Check(checkError(code, ts.ReadFile("stdout"), ts.ReadFile("stderr")))
	}
}

func says(ts *testscript.TestScript, neg bool, args []string) {
	text, _, _ := ErrorAndHint(ts.ReadFile("stderr"))
	for _, want := range args {
		if strings.Contains(text, want) == neg {
			ts.Fatalf("error and hint:\n%s%q is in it: %v", text, want, neg)
		}
	}
}

// checkError looks at what a command has printed that ended with that exit code: one error
// with at most one hint (of wrong usage always one), nothing on standard output, and no
// stack trace.
func checkError(code int, stdout, stderr string) error {
	if strings.Contains(stderr, "goroutine") || strings.Contains(stderr, "panic") {
		return fmt.Errorf("a stack trace:\n%s", stderr)
	}
	if _, errs, hints := ErrorAndHint(stderr); code != 0 && errs != 1 || hints > 1 || code == 2 && hints != 1 {
		return fmt.Errorf("%d errors and %d hints:\n%s", errs, hints, stderr)
	}
	if stdout != "" {
		return fmt.Errorf("standard output: %q", stdout)
	}
	return nil
}
