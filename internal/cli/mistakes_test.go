package cli

import (
	"errors"
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"
)

// parse runs the flags of both commands, and the environment, through the
// parser as Main does.
func parse(t *testing.T, args ...string) (got error) {
	t.Helper()
	unsetEmptyVariables()
	flags := checked(append(CommonFlags(NameFlag("demo"), "ring"), SizeFlag("capacity", 4096, ""), IntegerFlag("burst", 1, 1, 100, "")))
	app := &urfave.App{
		Flags:          flags,
		OnUsageError:   func(_ *urfave.Context, err error, _ bool) error { return (&App{Flags: flags}).rewordParseError(err) },
		ExitErrHandler: func(*urfave.Context, error) {},
		Action:         func(*urfave.Context) error { return nil },
	}
	return app.Run(append([]string{"producer"}, args...))
}

func TestMistakes_NameFlagValueAndWanted(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--report", "5"}, `--report: invalid time "5" (examples: 250ms, 5s, 1m)`},
		{[]string{"--report", ""}, `--report: invalid time "" (examples: 250ms, 5s, 1m)`},
		{[]string{"--duration", "-5s"}, `--duration: invalid time "-5s": want one >= 0`},
		{[]string{"--spin", "300y"}, `--spin: invalid time "300y" (examples: 250ms, 5s, 1m)`},
		{[]string{"--count", "-3"}, `--count: invalid number "-3": want an integer >= 0`},
		{[]string{"--count=1e3"}, `--count: invalid number "1e3" (examples: 200, 1000000)`},
		{[]string{"--count", "0x10"}, `--count: invalid number "0x10" (examples: 200, 1000000)`},
		{[]string{"--count", "1_000"}, `--count: invalid number "1_000" (examples: 200, 1000000)`},
		{[]string{"--count", ""}, `--count: invalid number "": want an integer >= 0`},
		{[]string{"--count", "many"}, `--count: invalid number "many" (examples: 200, 1000000)`},
		{[]string{"--count", "99999999999999999999"}, `--count: invalid number "99999999999999999999": want an integer <= 18446744073709551615`},
		{[]string{"--burst", "0"}, `--burst: invalid number "0": want an integer >= 1`},
		{[]string{"--burst", "101"}, `--burst: invalid number "101": want an integer <= 100`},
		{[]string{"--rate", "fast"}, `--rate: invalid number "fast" (examples: 200, 1e6)`},
		{[]string{"--rate", "0x10"}, `--rate: invalid number "0x10" (examples: 200, 1e6)`},
		{[]string{"--rate", "1e999"}, `--rate: invalid number "1e999" (examples: 200, 1e6)`},
		{[]string{"--rate", "NaN"}, `--rate: invalid number "NaN" (examples: 200, 1e6)`},
		{[]string{"--rate", "Inf"}, `--rate: invalid number "Inf" (examples: 200, 1e6)`},
		{[]string{"--rate", "-1"}, `--rate: invalid number "-1": want one >= 0`},
		{[]string{"--keep=maybe"}, `--keep: invalid value "maybe": want true or false`},
		{[]string{"--mode", "Ring"}, `--mode: invalid value "Ring": want ring or transfer`},
		{[]string{"-m", ""}, `-m: invalid value "": want ring or transfer`},
		{[]string{"--name", ""}, `--name: bad segment name "": it has 0 characters, 1 to 64 are allowed`},
		{[]string{"-n", "ä"}, `-n: bad segment name "ä": only A-Z a-z 0-9 . _ - are allowed`},
		{[]string{"-n", "a", "--name", "b"}, `--name and -n are the same flag: want one of them`},
		{[]string{"--capacity", "much"}, `--capacity: invalid size "much" (examples: 4096, 64KiB)`},
		{[]string{"--capasity", "4096"}, `unknown flag --capasity`},
		{[]string{"--foo"}, `unknown flag --foo`},
		{[]string{"-x"}, `unknown flag -x`},
		{[]string{"---"}, `unknown flag ---`},
		{[]string{"--=5"}, `unknown flag --=5`},
		{[]string{"---rate=5"}, `unknown flag ---rate=5`},
		{[]string{"--verify"}, `--verify is a flag of the consumer`},
		{[]string{"--name"}, `--name: a value is missing`},
		{[]string{"-n"}, `-n: a value is missing`},
	} {
		if got := parse(t, c.args...); got == nil || got.Error() != c.want || !errors.Is(got, errUsage) {
			t.Errorf("%q: %v\nwant %s", c.args, got, c.want)
		}
	}
}

// What one of several commands does not take, another may.
func TestMistakes_FlagOfOtherCommand_Named(t *testing.T) {
	app := App{Name: "gauge", Commands: []App{
		{Name: "ls", Flags: []urfave.Flag{&urfave.BoolFlag{Name: "json"}}},
		{Name: "stat", Flags: []urfave.Flag{NameFlag("demo"), &urfave.BoolFlag{Name: "json"}}, Argument: "name"},
		{Name: "rm", Flags: []urfave.Flag{NameFlag("demo")}, Argument: "name"},
		{Name: "serve", Flags: []urfave.Flag{&urfave.StringFlag{Name: "listen"}}},
	}}
	for i := range app.Commands {
		app.Commands[i].Flags, app.Commands[i].parent = withVersion(app.Commands[i].Flags), &app
	}
	app.Flags = withVersion(nil)
	ls, rm := &app.Commands[0], &app.Commands[2]
	unknown := func(a *App, flag string) error {
		return a.usageError(nil, errors.New("flag provided but not defined: -"+flag), false)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{unknown(&app, "json"), "unknown flag --json; it is a flag of gauge ls and stat"},
		{unknown(rm, "json"), "unknown flag --json; it is a flag of gauge ls and stat"},
		{unknown(ls, "listen"), "unknown flag --listen; it is a flag of gauge serve"},
		{unknown(ls, "n"), "unknown flag -n; it is a flag of gauge stat and rm"},
		{unknown(ls, "jsn"), "unknown flag --jsn; did you mean --json?"},
		{rm.usageError(nil, errors.New("bad flag syntax: ---"), false), "unknown flag ---; --help lists the flags"},
		{rm.usageError(nil, errors.New("bad flag syntax: ---name=x"), false), "unknown flag ---name=x; did you mean --name?"},
		{unknown(rm, "foo"), "unknown flag --foo; --help lists the flags"},
		{ls.hintArgumentOwners(UsageError("unexpected argument %q", "demo")), `unexpected argument "demo"; a name is an argument of gauge stat and rm`},
	} {
		if _, hint := codeAndHint("gauge", splitError(c.err)); c.err.Error()+"; "+hint != c.want || !errors.Is(c.err, errUsage) {
			t.Errorf("%v; %s\nwant %s", c.err, hint, c.want)
		}
	}
}

func TestNumbers_DecimalOnly(t *testing.T) {
	n := integer{max: 100}
	if err := n.Set("010"); err != nil || n.n != 10 {
		t.Errorf("010: %d, %v", n.n, err)
	}
	x := decimal{}
	for s, want := range map[string]float64{"010": 10, "1e6": 1e6, "0.5": 0.5, "+3": 3} {
		if err := x.Set(s); err != nil || x.x != want {
			t.Errorf("%s: %v, %v", s, x.x, err)
		}
	}
}

func TestMistakes_Environment_NameVariable(t *testing.T) {
	for variable, c := range map[string]struct{ value, want string }{
		"SLUICE_RATE":     {"fast", `SLUICE_RATE in the environment: invalid number "fast" (examples: 200, 1e6)`},
		"SLUICE_CAPACITY": {"much", `SLUICE_CAPACITY in the environment: invalid size "much" (examples: 4096, 64KiB)`},
		"SLUICE_DURATION": {"-1s", `SLUICE_DURATION in the environment: invalid time "-1s": want one >= 0`},
		"SLUICE_MODE":     {"other", `SLUICE_MODE in the environment: invalid value "other": want ring or transfer`},
		"SLUICE_KEEP":     {"maybe", `SLUICE_KEEP in the environment: invalid value "maybe": want true or false`},
		"SLUICE_COUNT":    {"0x10", `SLUICE_COUNT in the environment: invalid number "0x10" (examples: 200, 1000000)`},
		"SLUICE_NAME":     {"a b", `SLUICE_NAME in the environment: bad segment name "a b": only A-Z a-z 0-9 . _ - are allowed`},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, c.value)
			if got := parse(t); got == nil || got.Error() != c.want || !errors.Is(got, errUsage) {
				t.Errorf("%v\nwant %s", got, c.want)
			}
			t.Setenv(variable, "")
			if got := parse(t); got != nil {
				t.Errorf("an empty variable: %v", got)
			}
		})
	}
}

func TestEnvironment_UnknownVariable(t *testing.T) {
	flags := withVersion(checked(append(CommonFlags(NameFlag("demo"), "ring"), SizeFlag("capacity", 0, ""))))
	for variable, want := range map[string]string{
		"SLUICE_CAPASITY=4096": `SLUICE_CAPASITY in the environment matches no flag; did you mean SLUICE_CAPACITY?`,
		"SLUICE_ON_FUL=drop":   `SLUICE_ON_FUL in the environment matches no flag; did you mean SLUICE_ON_FULL?`, // the producer's
		"SLUICE_name=x":        `SLUICE_name in the environment matches no flag; did you mean SLUICE_NAME?`,
		"SLUICE_=1":            `SLUICE_ in the environment matches no flag; `,
		"SLUICE_VERSION=1":     `SLUICE_VERSION in the environment matches no flag; `,
		"SLUICE_ON_FULL=drop":  "", // the producer's
		"SLUICE_DRAIN=1s":      "", // the consumer's
		"SLUICE_LISTEN=:1":     "", // gauge's
		"SLUICE_NAME=x":        "", // all have it
		"SLUICED=1":            "",
		"PATH=/bin":            "",
	} {
		got := ""
		if err := firstUnknownVariable(flags, []string{"HOME=/", variable}); err != nil {
			_, hint := codeAndHint("producer", splitError(err))
			got = err.Error() + "; " + hint
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", variable, got, want)
		}
	}
}

func TestArguments_AnyPosition(t *testing.T) {
	app := App{
		Name:  "gauge",
		Flags: checked(nil),
		Commands: []App{
			{Name: "stat", Flags: checked([]urfave.Flag{NameFlag("demo"), &urfave.BoolFlag{Name: "json"}}), Argument: "name"},
			{Name: "ls"},
		},
	}
	for args, want := range map[string]string{
		"":                         "",
		"help":                     "--help",
		"help stat":                "stat --help",
		"help stat demo --name":    "stat --help",
		"help --name":              "--help",
		"help frobnicate":          "frobnicate --help",
		"version":                  "--version",
		"--help ls":                "--help ls",
		"-h nosuch":                "-h",
		"stat --help demo":         "stat --help",
		"stat demo --json -h -- x": "stat --json -h",
		"stat -n -h demo":          "stat -n -h demo",
		"stat demo":                "stat demo",
		"stat demo --json":         "stat --json demo",
		"stat --json demo":         "stat --json demo",
		"stat demo -n x --json":    "stat -n x --json demo",
		"stat demo --name=x":       "stat --name=x demo",
		"stat demo -- --json":      "stat demo -- --json",
		"stat - --json":            "stat --json -",
		"stat demo --name":         "stat --name",
		"stat demo --json -n":      "stat --json -n",
	} {
		if got := strings.Join(app.reorderArgs(strings.Fields(args)), " "); got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}
