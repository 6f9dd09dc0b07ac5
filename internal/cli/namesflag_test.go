package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/segments"
	"sluice/shm"
)

// names returns what GetNames makes of a command line after the variable SLUICE_NAME is set.
func names(t *testing.T, variable string, args ...string) (got []string, err error) {
	t.Helper()
	t.Setenv("SLUICE_NAME", variable)
	line := os.Args
	defer func() { os.Args = line }()
	app := App{Name: "gauge", Argument: "name", Flags: checked([]urfave.Flag{NamesFlag("demo")})}
	os.Args = append([]string{"gauge"}, args...)
	run := &urfave.App{Flags: app.Flags, HideHelp: true, Writer: new(strings.Builder), ErrWriter: new(strings.Builder),
		OnUsageError: func(_ *urfave.Context, err error, _ bool) error {
			return (&App{Flags: app.Flags}).rewordParseError(err)
		},
		Action: func(c *urfave.Context) error {
			if err := app.parseArgument(c); err != nil {
				return err
			}
			got, err = GetNames(c)
			return err
		}}
	err = run.Run(os.Args)
	return got, err
}

func TestNames_OnceForEachNameAndPattern(t *testing.T) {
	for _, c := range []struct{ variable, args, want string }{
		{"", "", "demo"},
		{"", "--name a", "a"},
		{"", "-n a", "a"},
		{"", "--name a --name b*", "a b*"},
		{"", "-n a -n b", "a b"},
		{"", "--name a,b,*c", "a b *c"},
		{"", "--name b --name a --name b", "b a"},
		{"", "a b *", "a b *"},
		{"", "--name a b", "a b"},
		{"x,y*", "", "x y*"},
		{"x,y*", "--name a", "a"},
		{"x,y*", "-n a -n b", "a b"},
		{"x,y*", "a", "a"},
		{"x", "x", "x"},
	} {
		got, err := names(t, c.variable, strings.Fields(c.args)...)
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("SLUICE_NAME=%s, %q: %q, %v; want %s", c.variable, c.args, got, err, c.want)
		}
	}
}

func TestNames_Bad_UsageError(t *testing.T) {
	var many []string
	for i := range segments.Max + 1 {
		many = append(many, fmt.Sprintf("n%d", i))
	}
	for _, c := range []struct {
		variable string
		args     []string
		want     string
	}{
		{"", []string{"--name", "a?"}, `--name: bad segment name "a?"`},
		{"", []string{"--name", "[a]*"}, "and * for any of them"},
		{"", []string{"--name", "a,,b"}, "it has 0 characters"},
		{"", []string{"--name", ""}, "it has 0 characters"},
		{"", []string{"--name", "a", "--name", "b/*"}, `bad segment name "b/*"`},
		{"", []string{"a", ".*"}, "no name starts with a dot"},
		{"a b*", nil, `SLUICE_NAME in the environment: bad segment name "a b*"`},
		{"", []string{"--name", strings.Join(many, ",")}, "--name: 257 names and patterns are too many: want at most 256"},
		{strings.Join(many, ","), nil, "SLUICE_NAME in the environment: 257 names and patterns are too many"},
	} {
		if got, err := names(t, c.variable, c.args...); err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, errUsage) && !errors.Is(err, shm.ErrName) {
			t.Errorf("SLUICE_NAME=%.20s, %.80q: %q, %v; want %s", c.variable, c.args, got, err, c.want)
		}
	}
	if got, err := names(t, "", strings.Join(many[1:], ",")); len(got) != segments.Max || err != nil {
		t.Errorf("%d names, %v", len(got), err)
	}
}
