package command

import (
	"errors"
	"testing"

	"github.com/urfave/cli/v2"
)

// parse runs the flags of both commands, and the environment, through the
// parser as Main does.
func parse(t *testing.T, args ...string) (got error) {
	t.Helper()
	flags := append(CommonFlags(), SizeFlag("capacity", 4096, ""))
	addEnv(flags)
	app := &cli.App{
		Flags:          flags,
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return mistake(err, flags) },
		ExitErrHandler: func(*cli.Context, error) {},
		Action:         func(*cli.Context) error { return nil },
	}
	return app.Run(append([]string{"producer"}, args...))
}

func TestMistakesAreSaidAsAPersonWould(t *testing.T) {
	for want, args := range map[string][]string{
		`--report: "5" is no time; write 250ms, 5s or 1m`:          {"--report", "5"},
		`--count: "-3" is no whole number from 0 on`:               {"--count", "-3"},
		`--count: "1e3" is no whole number from 0 on`:              {"--count=1e3"},
		`--rate: "fast" is no number; write 200 or 1e6`:            {"--rate", "fast"},
		`--keep: "maybe" is neither true nor false`:                {"--keep=maybe"},
		`--capacity: "much" is no size; write 4096, 64KiB or 1MiB`: {"--capacity", "much"},
		`there is no --capasity; did you mean --capacity?`:         {"--capasity", "4096"},
		`there is no --foo`:                  {"--foo"},
		`there is no -x`:                     {"-x"},
		`--verify is a flag of the consumer`: {"--verify"},
		`--name: a value is missing`:         {"--name"},
		`--n: a value is missing`:            {"-n"},
	} {
		if got := parse(t, args...); got == nil || got.Error() != want || !errors.Is(got, errUsage) {
			t.Errorf("%q: %v\nwant %s", args, got, want)
		}
	}
}

func TestMistakesInTheEnvironmentNameTheVariable(t *testing.T) {
	for variable, c := range map[string]struct{ value, want string }{
		"SLUICE_RATE":     {"fast", `SLUICE_RATE (the environment's --rate): "fast" is no number; write 200 or 1e6`},
		"SLUICE_CAPACITY": {"much", `SLUICE_CAPACITY (the environment's --capacity): "much" is no size; write 4096, 64KiB or 1MiB`},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, c.value)
			if got := parse(t); got == nil || got.Error() != c.want {
				t.Errorf("%v\nwant %s", got, c.want)
			}
		})
	}
}

func TestAVariableThatIsNoFlagIsFound(t *testing.T) {
	for variable, want := range map[string]string{
		"SLUICE_CAPASITY=4096": `SLUICE_CAPASITY in the environment: there is no --capasity; did you mean --capacity?`,
		"SLUICE_=1":            `SLUICE_ in the environment: there is no --`,
		"SLUICE_ON_FULL=drop":  "", // the producer's
		"SLUICE_DRAIN=1s":      "", // the consumer's
		"SLUICE_NAME=x":        "", // both have it
		"SLUICED=1":            "",
		"PATH=/bin":            "",
	} {
		got := ""
		if err := unknownVariable(append(CommonFlags(), SizeFlag("capacity", 0, "")), []string{"HOME=/", variable}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", variable, got, want)
		}
	}
}
