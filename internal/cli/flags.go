package cli

import (
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

// Common is what both commands take.
type Common struct {
	Name     string
	Mode     layout.Mode // 0 = not said
	Report   time.Duration
	JSON     bool
	Duration time.Duration
	Count    uint64
	Rate     float64
	Spin     time.Duration // as sluice.ProducerOptions.Spin
	Keep     bool
	Socket   string // "" = the name's own
	Access   shm.Access
}

// CommonFlags returns the flags that ParseCommon reads. mode is what --help calls the
// default of --mode.
func CommonFlags(mode string) []urfave.Flag {
	return []urfave.Flag{
		NameFlag("demo"),
		ChoiceFlag("mode", []string{"m"}, "", mode, "`MODE` of passing messages: ring (bounded, the producer waits) or transfer (the queue grows); the consumer finds out by itself", "ring", "transfer"),
		&urfave.DurationFlag{Name: "report", Value: time.Second, Usage: "print metrics on standard error each `INTERVAL`; 0 = only at the end"},
		ChoiceFlag("format", nil, "text", "", "`FORMAT` of the metrics: text, or json with one object a line", "text", "json"),
		&urfave.DurationFlag{Name: "duration", Usage: "stop in good order after this `TIME`; 0 = no limit"},
		&urfave.Uint64Flag{Name: "count", Usage: "stop in good order after `N` messages; 0 = no limit"},
		&urfave.Float64Flag{Name: "rate", Usage: "`N` messages a second; 0 = as fast as possible"},
		&urfave.DurationFlag{Name: "spin", DefaultText: "adaptive", Usage: "spin for this `TIME` before sleeping; 0 = never spin"},
		&urfave.StringFlag{Name: "group", DefaultText: "this user alone", Usage: "let the members of `GROUP` take part, if both sides ask for it"},
		&urfave.BoolFlag{Name: "keep", Usage: "leave the segment in place when done"},
		&urfave.StringFlag{Name: "socket", DefaultText: "in the user's runtime directory", Usage: "transfer: `PATH` of the socket, the same for both sides"},
	}
}

// NameFlag returns the flag that GetName reads; "" is for all segments.
func NameFlag(value string) urfave.Flag {
	f := &urfave.GenericFlag{Name: "name", Aliases: []string{"n"}, Value: &segmentName{value}, Usage: "`NAME` of the segment: 1 to 64 of A-Z a-z 0-9 . _ -, not a dot first"}
	if value == "" {
		f.DefaultText = "all"
	}
	return f
}

// segmentName is the value of a NameFlag.
type segmentName struct{ name string }

// Set takes a name that a segment can have.
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
	o := Common{
		Name: GetName(c), Report: c.Duration("report"), Duration: c.Duration("duration"),
		Socket: c.String("socket"),
		Count:  c.Uint64("count"), Rate: c.Float64("rate"), Keep: c.Bool("keep"),
		JSON: GetChoice(c, "format") == "json",
		Spin: ring.SpinAdaptive,
	}
	if systemd.Started() { // the variables are a file that somebody wrote for this pair
		if err := unknownVariable(c.App.Flags, os.Environ()); err != nil {
			return o, err
		}
	}
	o.Mode = modes[GetChoice(c, "mode")]
	var err error
	if o.Access, err = parseGroup(c.String("group"), Called(c, "group")); err != nil {
		return o, err
	}
	for _, flag := range []string{"group", "socket"} {
		if SetOnCommandLine(c, flag) && c.String(flag) == "" {
			return o, UsageError("%s: a value is missing", dashed(flag))
		}
	}
	if o.Mode == layout.ModeTransfer && SetOnCommandLine(c, "spin") {
		return o, WithHint(UsageError("--spin has no meaning in transfer mode"), "leave it out: the kernel wakes whoever waits for a socket")
	}
	if c.IsSet("spin") {
		if o.Spin = c.Duration("spin"); o.Spin == 0 {
			o.Spin = ring.SpinNever
		}
	}
	return o, nil
}

// modes are the values of --mode; "" is none.
var modes = map[string]layout.Mode{"ring": layout.ModeRing, "transfer": layout.ModeTransfer}

// parseGroup takes a group's name or number; "" is nobody. flag is how the user called it.
func parseGroup(s, flag string) (shm.Access, error) {
	if s == "" {
		return shm.Access{}, nil
	}
	gid, err := strconv.Atoi(s)
	if err != nil || gid < 0 {
		g, err := user.LookupGroup(s)
		if err != nil {
			return shm.Access{}, UsageError("%s: there is no group %q", flag, s)
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

// Said reports whether a flag was given on the command line, and not only in the
// environment, which two commands may share.
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
	less := n == 0 && strings.ContainsAny(s, "123456789") // than a byte
	if err != nil || less || strings.ContainsAny(s, "-+") || strings.TrimSpace(s) == "" {
		return fmt.Errorf("invalid size %q (examples: 4096, 64KiB)", s)
	}
	z.Bytes = n
	return nil
}

// String returns the size as a person would write it.
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

// DefaultFraming returns the framing of a file that nobody told more about:
// lines for standard input and output, else raw.
func DefaultFraming(path string) layout.Framing {
	if path == "-" {
		return layout.FramingLines
	}
	return layout.FramingRaw
}
