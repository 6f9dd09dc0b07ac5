package cli

import (
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"
)

// ListFlag returns a flag that GetList reads: it may be given several times, each time with one
// value, or several with commas between. check returns an error for a value that is not valid.
func ListFlag(name, defaultText, usage string, check func(value string) error) urfave.Flag {
	return &urfave.GenericFlag{Name: name, DefaultText: defaultText, Usage: usage, Value: &list{check: check}}
}

// GetList returns the values of a ListFlag in their order. Those of its environment variable do not
// count when there are any on the command line.
func GetList(c *urfave.Context, name string) []string {
	return c.Generic(name).(*list).without(name, SetOnCommandLine(c, name))
}

// without returns the values without those of the flag's environment variable if others were given.
func (v *list) without(name string, given bool) []string {
	variable := os.Getenv(envOf(name))
	if !given || variable == "" {
		return v.values
	}
	return v.values[min(len(v.values), strings.Count(variable, ",")+1):] // the variable's come first
}

// list is the value of a ListFlag.
type list struct {
	values []string
	check  func(value string) error
}

// Set adds the values in s if all of them are valid.
func (v *list) Set(s string) error {
	if s == unchanged {
		return nil
	}
	values := strings.Split(s, ",")
	for _, value := range values {
		if err := v.check(value); err != nil {
			return err
		}
	}
	v.values = append(v.values, values...)
	return nil
}

// Serialize implements urfave.Serializer. The library sets the short form of a flag, which has the
// same value, to what it returns.
func (v *list) Serialize() string { return unchanged }

// unchanged is no argument or variable: those end at a NUL.
const unchanged = "\x00"

// String returns the values as Set takes them.
func (v *list) String() string { return strings.Join(v.values, ",") }
