package cli

import (
	"errors"
	"flag"
	"testing"
)

func newProgram() (flags *flag.FlagSet, kills *int) {
	flags = flag.NewFlagSet("storm", flag.ContinueOnError)
	kills = flags.Int("kills", 1000, "kill `N` processes")
	flags.Bool("quick", false, "in under a minute")
	return flags, kills
}

func TestProgram_UsageErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{`unexpected argument "x"`, []string{"x"}},
		{`unexpected argument "help"`, []string{"help", "help"}},
		{"flag provided but not defined: --nosuch", []string{"--nosuch"}},
		{"flag needs an argument: --kills", []string{"-kills"}},
		{`invalid value "x" for flag --kills`, []string{"--kills", "x"}},
		{`invalid boolean value "3" for --quick`, []string{"--quick=3"}},
	} {
		flags, _ := newProgram()
		done, err := ParseProgram(flags, "kill", c.args)
		if !done || err == nil || err.Error() != c.want || !errors.Is(err, errUsage) || !errors.As(err, new(hintedError)) {
			t.Errorf("%q: %v, %v, want %s with a hint", c.args, done, err, c.want)
		}
	}
	flags, kills := newProgram()
	if done, err := ParseProgram(flags, "kill", []string{"--kills", "7", "-quick"}); done || err != nil || *kills != 7 {
		t.Errorf("%v, %v, %d kills", done, err, *kills)
	}
}

func TestProgram_Help(t *testing.T) {
	flags, _ := newProgram()
	want := `storm - kill the sides

Usage: storm [options]

  --kills N                 kill N processes (default: 1000)
  --quick                   in under a minute
  --help, -h                print this help
`
	if got := programHelp(flags, "kill the sides"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
