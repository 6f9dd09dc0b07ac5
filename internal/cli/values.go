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

// Each kind of flag has one parser for all commands. They reject values that the flag library
// accepts: negative times, octal numbers, NaN.

// timeValue is a time >= min. A min of a nanosecond means any time > 0.
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

// wellFormed matches a time that can only be too long.
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
	if err != nil || strings.Trim(s, "+-.0123456789eE") != "" { // rejects hexadecimal numbers, infinities and NaN
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

// share is a part of a whole: more than 0 % and at most 100 %.
type share struct{ percent float64 }

// Set parses 50%, 12.5%.
func (v *share) Set(s string) error {
	number, hasSign := strings.CutSuffix(s, "%")
	var percent decimal
	if err := percent.Set(strings.TrimPrefix(number, "-")); err != nil || !hasSign {
		return fmt.Errorf("invalid share %q (examples: 50%%, 12.5%%)", s)
	}
	if percent.x == 0 || percent.x > 100 || strings.HasPrefix(number, "-") {
		return fmt.Errorf("invalid share %q: want one > 0%% and <= 100%%", s)
	}
	v.percent = percent.x
	return nil
}

// String returns the share as Set parses it.
func (v *share) String() string { return (&decimal{v.percent}).String() + "%" }

// ShareFlag returns a flag for a part of a whole, from 0 to 1; value is its default.
func ShareFlag(name string, value float64, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &share{100 * value}, Usage: usage}
}

// GetShare returns the value of a ShareFlag, from 0 to 1.
func GetShare(c *urfave.Context, name string) float64 { return c.Generic(name).(*share).percent / 100 }

// choice is one of a few words; "" is the default of some flags.
type choice struct {
	word  string
	words []string
}

// Set sets the word if it is one of words.
func (v *choice) Set(s string) error {
	if !slices.Contains(v.words, s) {
		last := len(v.words) - 1
		return fmt.Errorf("invalid value %q: want %s or %s", s, strings.Join(v.words[:last], ", "), v.words[last])
	}
	v.word = s
	return nil
}

// String returns the word.
func (v *choice) String() string { return v.word }

// ChoiceFlag returns a flag whose value is one of the given words.
func ChoiceFlag(name string, aliases []string, value, defaultText, usage string, words ...string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Aliases: aliases, Value: &choice{value, words}, DefaultText: defaultText, Usage: usage}
}

// GetChoice returns the word of a ChoiceFlag.
func GetChoice(c *urfave.Context, name string) string { return c.Generic(name).(*choice).word }

// IntegerFlag returns a flag for a number from min to max.
func IntegerFlag(name string, value, min, max uint64, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &integer{value, min, max}, Usage: usage}
}

// TimeFlag returns a flag for a time >= min; a min of a nanosecond means any time > 0.
func TimeFlag(name string, value, min time.Duration, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &timeValue{value, min}, Usage: usage}
}

// noVariable is the EnvVars of a flag that has no environment variable.
var noVariable = []string{}

// NewFileFlag returns the flag --output of a command whose file is never replaced. The environment
// does not set it: there SLUICE_OUTPUT is the file of a pair's consumer.
func NewFileFlag() urfave.Flag {
	return &urfave.StringFlag{Name: "output", Value: "-", EnvVars: noVariable,
		Usage: "write messages to `FILE`, which must not exist; - for standard output (SLUICE_OUTPUT does not set it)"}
}

// checked returns the flags with our parsers for their kinds, and with their environment
// variables.
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
			if f.EnvVars == nil {
				f.EnvVars = env
			}
		case *urfave.BoolFlag:
			f.EnvVars = env
		case *urfave.GenericFlag:
			f.EnvVars = env
		default:
			panic(fmt.Sprintf("flag --%s has the unsupported type %T", f.Names()[0], f))
		}
		out = append(out, f)
	}
	return out
}

// envOf returns the environment variable of a flag.
func envOf(flag string) string {
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// FlagSource returns where the value of a flag is from, for errors: --rate, or SLUICE_RATE in
// the environment.
func FlagSource(c *urfave.Context, flag string) string {
	if c.IsSet(flag) && !SetOnCommandLine(c, flag) {
		return envOf(flag) + " in the environment"
	}
	return withDashes(flag)
}
