package cli

import (
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"
)

func TestCompletions_OfACommand(t *testing.T) {
	a := App{
		Name:     "pump",
		Flags:    checked([]urfave.Flag{ChoiceFlag("mode", []string{"m"}, "fast", "", "`MODE` of work", "fast", "slow")}),
		Commands: []App{{Name: "stop", Usage: "end it", Argument: "x", Flags: checked([]urfave.Flag{&urfave.StringFlag{Name: "log", Usage: "write to `FILE`"}, &urfave.BoolFlag{Name: "now", Usage: "at once"}, SizeFlag("size", 8, "`BYTES` of it")})}},
	}
	commands := "stop command end it\nhelp command print the flags of a command\n"
	for args, want := range map[string]string{
		"":           commands + "--mode fast|slow MODE of work (default: fast)\n-m fast|slow MODE of work (default: fast)\n--help none print the flags\n",
		"help":       commands,
		"stop":       "--log file write to FILE\n--now none at once\n--size value BYTES of it (default: 8)\n--help none print the flags\n",
		"stop --now": "--log file write to FILE\n--now none at once\n--size value BYTES of it (default: 8)\n--help none print the flags\n",
	} {
		var b strings.Builder
		if err := a.printCompletions(&b, strings.Fields(args)); err != nil || b.String() != want {
			t.Errorf("%q: %v\n%swant\n%s", args, err, b.String(), want)
		}
	}
}
