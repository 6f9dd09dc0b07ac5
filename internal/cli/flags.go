package cli

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	urfave "github.com/urfave/cli/v2"

	"sluice/internal/format"
	"sluice/internal/systemd"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
)

// Common has the values of the flags that producer and consumer share; those of SideFlags are of a
// bridge too.
type Common struct {
	Name     string      // of the segment; "" when there are several
	Names    []string    // that were given, and patterns
	Mode     layout.Mode // 0 = not given
	Report   time.Duration
	JSON     bool
	Duration time.Duration
	Count    uint64
	Rate     float64
	Spin     time.Duration // as sluice.ProducerOptions.Spin
	Keep     bool
	Populate bool
	Socket   string // "" = the default for Name
	Access   shm.Access
}

// Several reports whether more than one segment is meant: several names, or a pattern.
func (o *Common) Several() bool { return o.Name == "" }

// CommonFlags returns the flags that ParseCommon reads: those of SideFlags and others. mode is the
// default of --mode that --help shows.
func CommonFlags(name urfave.Flag, mode string) []urfave.Flag {
	return append(SideFlags(name),
		ChoiceFlag("mode", []string{"m"}, "", mode, "`MODE`: ring (hard back-pressure: the producer waits while the ring is full) or transfer (soft: the queue grows up to --limit; credit: with --on-limit block the producer waits there); a consumer detects it", "ring", "transfer"),
		&urfave.Uint64Flag{Name: "count", Usage: "stop cleanly after `N` messages; 0 = no limit"},
		&urfave.Float64Flag{Name: "rate", Usage: "`N` messages per second on average; 0 = as fast as possible"},
		&urfave.StringFlag{Name: "socket", DefaultText: "in the user's runtime directory", Usage: "transfer: `PATH` of the socket; both sides need the same one"},
	)
}

// SideFlags returns the flags that ParseSide reads, of whatever holds a role in a ring: name, which
// is a NameFlag or a NamesFlag, and others.
func SideFlags(name urfave.Flag) []urfave.Flag {
	return []urfave.Flag{
		name,
		&urfave.DurationFlag{Name: "report", Value: time.Second, Usage: "print metrics to standard error every `INTERVAL`; 0 = only at the end"},
		ChoiceFlag("format", nil, "text", "", "`FORMAT` of the metrics: text, or json with one object per line", "text", "json"),
		&urfave.DurationFlag{Name: "duration", Usage: "stop cleanly after `TIME`; 0 = no limit"},
		&urfave.DurationFlag{Name: "spin", DefaultText: "adaptive", Usage: "spin for `TIME` before sleeping; 0 = never spin"},
		GroupFlag(),
		&urfave.BoolFlag{Name: "keep", Usage: "keep the segment on exit"},
		&urfave.BoolFlag{Name: "populate", Usage: "map the memory of a ring of more than 16 MiB at the start, in huge pages if it is new: 1 GiB takes 0.1 to 2.5 s, and then no page fault delays a message"},
	}
}

// GroupFlag returns the flag that GetAccess reads.
func GroupFlag() urfave.Flag {
	return &urfave.StringFlag{Name: "group", DefaultText: "this user only", Usage: "share the segment with the members of `GROUP`; both sides must set it"}
}

// GetAccess returns who besides this user may have made a segment and may join it.
func GetAccess(c *urfave.Context) (shm.Access, error) {
	if SetOnCommandLine(c, "group") && c.String("group") == "" {
		return shm.Access{}, UsageError("--group: a value is missing")
	}
	return parseGroup(c.String("group"), FlagSource(c, "group"))
}

// NameFlag returns the flag that GetName reads; "" is for all segments.
func NameFlag(value string) urfave.Flag {
	f := &urfave.GenericFlag{Name: "name", Aliases: []string{"n"}, Value: &segmentName{value}, Usage: "`NAME` of the segment: 1 to 64 characters of A-Z a-z 0-9 . _ -, not starting with a dot"}
	if value == "" {
		f.DefaultText = "all"
	}
	return f
}

// segmentName is the value of a NameFlag.
type segmentName struct{ name string }

// Set sets the name if it is valid for a segment.
func (v *segmentName) Set(s string) error {
	if err := shm.CheckName(s); err != nil {
		return err
	}
	v.name = s
	return nil
}

// String returns the name.
func (v *segmentName) String() string { return v.name }

// GetName returns the value of a NameFlag.
func GetName(c *urfave.Context) string { return c.Generic("name").(*segmentName).name }

// ParseCommon reads and checks the flags of CommonFlags.
func ParseCommon(c *urfave.Context) (Common, error) {
	o, err := ParseSide(c)
	if err != nil {
		return o, err
	}
	o.Mode, o.Socket, o.Count, o.Rate = modes[GetChoice(c, "mode")], c.String("socket"), c.Uint64("count"), c.Float64("rate")
	if SetOnCommandLine(c, "socket") && o.Socket == "" {
		return o, UsageError("--socket: a value is missing")
	}
	if o.Mode == layout.ModeTransfer && SetOnCommandLine(c, "populate") {
		return o, WithHint(UsageError("--populate cannot be used in transfer mode"), "leave it out: the memory of a transfer is allocated with each message")
	}
	if o.Mode == layout.ModeTransfer && SetOnCommandLine(c, "spin") {
		return o, WithHint(UsageError("--spin cannot be used in transfer mode"), "leave it out: in transfer mode both sides wait on a socket and do not spin")
	}
	return o, nil
}

// ParseSide reads and checks the flags of SideFlags.
func ParseSide(c *urfave.Context) (Common, error) {
	o := Common{
		Report: c.Duration("report"), Duration: c.Duration("duration"),
		Keep: c.Bool("keep"), Populate: c.Bool("populate"),
		JSON: GetChoice(c, "format") == "json",
		Spin: ring.SpinAdaptive,
	}
	if systemd.Started() { // the variables are from a file for this pair, so an unknown one is a mistake
		if err := firstUnknownVariable(c.App.Flags, os.Environ()); err != nil {
			return o, err
		}
	}
	var err error
	if o.Names, err = distinctNames(c); err != nil {
		return o, err
	}
	if len(o.Names) == 1 && !shm.IsPattern(o.Names[0]) {
		o.Name = o.Names[0]
	}
	if o.Access, err = GetAccess(c); err != nil {
		return o, err
	}
	if c.IsSet("spin") {
		if o.Spin = c.Duration("spin"); o.Spin == 0 {
			o.Spin = ring.SpinNever
		}
	}
	return o, nil
}

// modes are the values of --mode; "" is not given.
var modes = map[string]layout.Mode{"ring": layout.ModeRing, "transfer": layout.ModeTransfer}

// parseGroup parses the name or number of a group; "" is no group. flag is its FlagSource.
func parseGroup(s, flag string) (shm.Access, error) {
	if s == "" {
		return shm.Access{}, nil
	}
	gid, err := strconv.Atoi(s)
	if err != nil || gid < 0 {
		g, err := user.LookupGroup(s)
		if err != nil {
			return shm.Access{}, UsageError("%s: unknown group %q", flag, s)
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return shm.Access{}, UsageError("%s: %w", flag, err)
		}
	}
	a, err := shm.GroupAccess(gid)
	if err != nil {
		return a, fmt.Errorf("%s: %w", flag, err)
	}
	return a, nil
}

// SetOnCommandLine reports whether a flag was given on the command line. An environment
// variable may be meant for another command, or for the other mode.
func SetOnCommandLine(c *urfave.Context, flag string) bool {
	if !c.IsSet(flag) {
		return false
	}
	alias := map[string]string{"name": "n", "mode": "m"}[flag]
	for _, arg := range os.Args[1:] {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && (name == flag || name != "" && name == alias) {
			return true
		}
	}
	return false
}

// Size is a flag value in bytes: 4096, 64KiB, 1MiB.
type Size struct{ Bytes uint64 }

// Set parses s.
func (z *Size) Set(s string) error {
	n, err := humanize.ParseBytes(s)
	underOne := n == 0 && strings.ContainsAny(s, "123456789") // such as 0.5
	if err != nil || underOne || strings.ContainsAny(s, "-+") || strings.TrimSpace(s) == "" {
		return fmt.Errorf("invalid size %q (examples: 4096, 64KiB)", s)
	}
	z.Bytes = n
	return nil
}

// String returns the size with a unit where it has one, such as 64KiB.
func (z *Size) String() string {
	if z == nil {
		return "0"
	}
	return format.FlagSize(z.Bytes)
}

// SizeFlag returns a flag of a size in bytes.
func SizeFlag(name string, value uint64, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &Size{value}, Usage: usage}
}

// OptionalSizeFlag is SizeFlag with a default that is no size, which is 0.
func OptionalSizeFlag(name, defaultText, usage string) urfave.Flag {
	return &urfave.GenericFlag{Name: name, Value: &Size{}, DefaultText: defaultText, Usage: usage}
}

// GetSize returns the bytes of a SizeFlag.
func GetSize(c *urfave.Context, name string) uint64 { return c.Generic(name).(*Size).Bytes }

// FramingFlag returns the flag that GetFraming reads.
func FramingFlag(defaultText, usage string) urfave.Flag {
	return ChoiceFlag("framing", nil, "", defaultText, usage, "lines", "length", "raw")
}

// GetFraming returns the value of a FramingFlag, FramingNone when it was not given.
func GetFraming(c *urfave.Context) layout.Framing {
	for _, f := range []layout.Framing{layout.FramingLines, layout.FramingLength, layout.FramingRaw} {
		if GetChoice(c, "framing") == f.String() {
			return f
		}
	}
	return layout.FramingNone
}

// OutputFraming returns the framing of an output: what --framing says, else that of the producer,
// else the default of the path.
func OutputFraming(given, producer layout.Framing, path string) layout.Framing {
	return cmp.Or(given, producer, DefaultFraming(path))
}

// DefaultFraming returns the framing of a file without --framing: lines for standard input and
// output, else raw.
func DefaultFraming(path string) layout.Framing {
	if path == "-" {
		return layout.FramingLines
	}
	return layout.FramingRaw
}
