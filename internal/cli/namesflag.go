package cli

import (
	"slices"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/segments"
	"sluice/shm"
)

// NamesFlag returns the flag that GetNames reads: --name, as a [ListFlag] of names and patterns.
// value is the default; "" is for all segments.
func NamesFlag(value string) urfave.Flag {
	f := &urfave.GenericFlag{Name: "name", Aliases: []string{"n"}, Value: &segmentNames{list{check: shm.CheckPattern}, value},
		Usage: "`NAME` of a segment, or a pattern in which * stands for any characters ('sensor-*', quoted for the shell); several: --name A --name B, or A,B"}
	if value == "" {
		f.DefaultText = "all"
	}
	return f
}

// GetNames returns the names and patterns that a NamesFlag was given, in that order and without
// repetitions, or its default; none is for all segments. The error is for more of them than
// segments can be observed.
func GetNames(c *urfave.Context) ([]string, error) {
	names := givenNames(c)
	if len(names) > segments.Max {
		return nil, UsageError("%s: %d names and patterns are too many: want at most %d", FlagSource(c, "name"), len(names), segments.Max)
	}
	var once []string
	seen := map[string]bool{}
	for _, name := range names {
		if !seen[name] {
			seen[name], once = true, append(once, name)
		}
	}
	return once, nil
}

// givenNames returns the names and patterns that a NamesFlag was given, or its default.
func givenNames(c *urfave.Context) []string {
	v := c.Generic("name").(*segmentNames)
	names := v.without("name", SetOnCommandLine(c, "name") || c.NArg() > 0)
	if len(names) == 0 && v.byDefault != "" {
		return []string{v.byDefault}
	}
	return names
}

// distinctNames returns the value of a NameFlag or a NamesFlag, in which no name may be given
// twice.
func distinctNames(c *urfave.Context) ([]string, error) {
	if v, one := c.Generic("name").(*segmentName); one {
		return []string{v.name}, nil
	}
	names := givenNames(c)
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, UsageError("%s: %q is given twice", FlagSource(c, "name"), name)
		}
	}
	return names, nil
}

// segmentNames is the value of a NamesFlag.
type segmentNames struct {
	list
	byDefault string
}

// String returns the names as Set takes them.
func (v *segmentNames) String() string {
	if len(v.values) == 0 {
		return v.byDefault
	}
	return v.list.String()
}
