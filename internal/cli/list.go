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
	values := c.Generic(name).(*list).values
	if SetOnCommandLine(c, name) { // the variable's come first
		if variable := os.Getenv(envOf(name)); variable != "" {
			values = values[min(len(values), strings.Count(variable, ",")+1):]
		}
	}
	return values
}

// list is the value of a ListFlag.
type list struct {
	values []string
	check  func(value string) error
}

// Set adds the values in s if all of them are valid.
func (v *list) Set(s string) error {
	values := strings.Split(s, ",")
	for _, value := range values {
		if err := v.check(value); err != nil {
			return err
		}
	}
	v.values = append(v.values, values...)
	return nil
}

// String returns the values as Set takes them.
func (v *list) String() string { return strings.Join(v.values, ",") }
