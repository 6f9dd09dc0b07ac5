package cli

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"
)

// A kind of flag has one parser and one check, for all commands: what the values of the
// flag library let through (negative times, octal numbers, NaN) stops here.

// timeValue is a time >= min. A min of a nanosecond is any time but 0.
type timeValue struct {
	time.Duration
	min time.Duration
}

// Set parses 250ms, 5s, 1m.
func (v *timeValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil && wellFormed.MatchString(s):
		return fmt.Errorf("invalid time %q: want one <= %v", s, time.Duration(math.MaxInt64))
	case err != nil:
		return fmt.Errorf("invalid time %q (examples: 250ms, 5s, 1m)", s)
	case d < v.min && v.min == 1:
		return fmt.Errorf("invalid time %q: want one > 0", s)
	case d < v.min && v.min > 0:
		return fmt.Errorf("invalid time %q: want one >= %v", s, v.min)
	case d < 0:
		return fmt.Errorf("invalid time %q: want one >= 0", s)
	}
	v.Duration = d
	return nil
}

// wellFormed is a time in which nothing but its length can be wrong.
var wellFormed = regexp.MustCompile(`^\+?([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h))+$`)

// integer is a decimal number from min to max.
type integer struct{ n, min, max uint64 }

// Set parses decimal digits.
func (v *integer) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n > v.max:
		return fmt.Errorf("invalid number %q: want an integer <= %d", s, v.max)
	case err != nil && strings.Trim(s, "-0123456789") != "":
		return fmt.Errorf("invalid number %q (examples: 200, 1000000)", s)
	case err != nil || n < v.min:
		return fmt.Errorf("invalid number %q: want an integer >= %d", s, v.min)
	}
	v.n = n
	return nil
}

// String returns the number as Set parses it.
func (v *integer) String() string { return strconv.FormatUint(v.n, 10) }

// decimal is a finite number >= 0.
type decimal struct{ x float64 }

// Set parses 200, 0.5, 1e6.
func (v *decimal) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Trim(s, "+-.0123456789eE") != "" { // hexadecimal, infinite, no number
		return fmt.Errorf("invalid number %q (examples: 200, 1e6)", s)
	}
	if x < 0 {
		return fmt.Errorf("invalid number %q: want one >= 0", s)
	}
	v.x = x
	return nil
}

// String returns the number as Set parses it.
func (v *decimal) String() string { return strconv.FormatFloat(v.x, 'g', -1, 64) }

// choice is one of a few words; "" is none of them, the default of some flags.
type choice struct {
	word string
	of   []string
}

// Set takes one of the words.
func (v *choice) Set(s string) error {
	if !slices.Contains(v.of, s) {
		last := len(v.of) - 1
		return fmt.Errorf("invalid value %q: want %s or %s", s, strings.Join(v.of[:last], ", "), v.of[last])
	}
	v.word = s
	return nil
}

// String returns the word.
func (v *choice) String() string { return v.word }

// ChoiceFlag returns a flag that takes one of the given words.
func ChoiceFlag(name string, aliases []string, value, defaultText, usage string, words ...string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Aliases: aliases, Value: &choice{value, words}, DefaultText: defaultText, Usage: usage}
}

// GetChoice returns the word of a ChoiceFlag.
func GetChoice(c *urfave.Context, name string) string { return c.Generic(name).(*choice).word }

// IntegerFlag returns a flag for a number from min to max.
func IntegerFlag(name string, value, min, max uint64, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &integer{value, min, max}, Usage: usage}
}

// TimeFlag returns a flag for a time >= min; a min of a nanosecond stands for any time but
// 0.
func TimeFlag(name string, value, min time.Duration, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &timeValue{value, min}, Usage: usage}
}

// checked returns the flags with the parsers and the checks of their kinds, and their
// environment variables.
func checked(flags []urfave.Flag) []urfave.Flag {
	out := make([]urfave.Flag, 0, len(flags))
	for _, f := range flags {
		switch of := f.(type) {
		case *urfave.DurationFlag:
			f = &urfave.GenericFlag{Name: of.Name, Aliases: of.Aliases, Category: of.Category, Usage: of.Usage, DefaultText: of.DefaultText, Value: &timeValue{of.Value, 0}}
		case *urfave.Uint64Flag:
			f = &urfave.GenericFlag{Name: of.Name, Aliases: of.Aliases, Category: of.Category, Usage: of.Usage, DefaultText: of.DefaultText, Value: &integer{of.Value, 0, 1<<64 - 1}}
		case *urfave.Float64Flag:
			f = &urfave.GenericFlag{Name: of.Name, Aliases: of.Aliases, Category: of.Category, Usage: of.Usage, DefaultText: of.DefaultText, Value: &decimal{of.Value}}
		}
		env := []string{envOf(f.Names()[0])}
		switch f := f.(type) {
		case *urfave.StringFlag:
			f.EnvVars = env
		case *urfave.BoolFlag:
			f.EnvVars = env
		case *urfave.GenericFlag:
			f.EnvVars = env
		default:
			panic(fmt.Sprintf("flag --%s is of type %T, which has no check", f.Names()[0], f))
		}
		out = append(out, f)
	}
	return out
}

// envOf returns the environment variable of a flag.
func envOf(flag string) string {
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Called returns a flag as the user gave it: --rate, or SLUICE_RATE when it came from the
// environment.
func Called(c *urfave.Context, flag string) string {
	if c.IsSet(flag) && !SetOnCommandLine(c, flag) {
		return envOf(flag) + " in the environment"
	}
	return dashed(flag)
}
