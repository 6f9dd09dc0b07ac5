package command

import (
	"fmt"
	"math"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"sluice/internal/service"
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
	Spin     time.Duration // as ring.Options.Spin
	Keep     bool
	Socket   string // "" = the name's own
	Access   shm.Access
}

// CommonFlags returns the flags that ParseCommon reads.
func CommonFlags() []cli.Flag {
	return []cli.Flag{
		NameFlag("demo"),
		&cli.StringFlag{Name: "mode", Aliases: []string{"m"}, DefaultText: "ring", Usage: "`MODE` of passing messages: ring (bounded, the producer waits) or transfer (the queue grows); the consumer finds out by itself"},
		&cli.DurationFlag{Name: "report", Value: time.Second, Usage: "print metrics on standard error each `INTERVAL`; 0 = only at the end"},
		&cli.StringFlag{Name: "format", Value: "text", Usage: "`FORMAT` of the metrics: text, or json with one object a line"},
		&cli.DurationFlag{Name: "duration", Usage: "stop in good order after this `TIME`; 0 = no limit"},
		&cli.Uint64Flag{Name: "count", Usage: "stop in good order after `N` messages; 0 = no limit"},
		&cli.Float64Flag{Name: "rate", Usage: "`N` messages a second; 0 = as fast as possible"},
		&cli.DurationFlag{Name: "spin", DefaultText: "adaptive", Usage: "spin for this `TIME` before sleeping; 0 = never spin"},
		&cli.StringFlag{Name: "group", DefaultText: "this user alone", Usage: "let the members of `GROUP` take part, if both sides ask for it"},
		&cli.BoolFlag{Name: "keep", Usage: "leave the segment in place when done"},
		&cli.StringFlag{Name: "socket", DefaultText: "in the user's runtime directory", Usage: "transfer: `PATH` of the socket, the same for both sides"},
	}
}

// NameFlag returns the flag that GetName reads; "" is for all segments.
func NameFlag(value string) cli.Flag {
	f := &cli.StringFlag{Name: "name", Aliases: []string{"n"}, Value: value, Usage: "`NAME` of the segment: 1 to 64 of A-Z a-z 0-9 . _ -"}
	if value == "" {
		f.DefaultText = "all"
	}
	return f
}

// GetName returns the checked value of a NameFlag.
func GetName(c *cli.Context) (string, error) {
	name := c.String("name")
	if name == "" && !Said(c, "name") && !Said(c, "n") {
		return "", nil
	}
	if err := shm.CheckName(name); err != nil {
		return "", Usage("--name: %w", err)
	}
	return name, nil
}

// ParseCommon reads and checks the flags of CommonFlags.
func ParseCommon(c *cli.Context) (Common, error) {
	name, err := GetName(c)
	if err != nil {
		return Common{}, err
	}
	o := Common{
		Name: name, Report: c.Duration("report"), Duration: c.Duration("duration"),
		Socket: c.String("socket"),
		Count:  c.Uint64("count"), Rate: c.Float64("rate"), Keep: c.Bool("keep"),
		Spin: ring.SpinAdaptive,
	}
	if service.Started() { // the variables are a file that somebody wrote for this pair
		if err := unknownVariable(c.App.Flags, os.Environ()); err != nil {
			return o, err
		}
	}
	if o.Mode, err = parseMode(c.String("mode")); err != nil {
		return o, err
	}
	if o.Access, err = parseGroup(c.String("group")); err != nil {
		return o, err
	}
	if o.Mode == layout.ModeTransfer && Said(c, "spin") {
		return o, Usage("--spin has no meaning in transfer mode: the kernel wakes whoever waits for a socket")
	}
	switch f := c.String("format"); f {
	case "text":
	case "json":
		o.JSON = true
	default:
		return o, Usage("--format %q: text or json", f)
	}
	for flag, d := range map[string]time.Duration{"report": o.Report, "duration": o.Duration, "spin": c.Duration("spin")} {
		if d < 0 {
			return o, Usage("--%s %v: it may not be negative", flag, d)
		}
	}
	if !(o.Rate >= 0) || math.IsInf(o.Rate, 1) {
		return o, Usage("--rate %v: a number of messages a second, 0 or more", o.Rate)
	}
	if c.IsSet("spin") {
		if o.Spin = c.Duration("spin"); o.Spin == 0 {
			o.Spin = ring.SpinNever
		}
	}
	return o, nil
}

func parseMode(s string) (layout.Mode, error) {
	switch s {
	case "":
		return 0, nil
	case "ring":
		return layout.ModeRing, nil
	case "transfer":
		return layout.ModeTransfer, nil
	}
	return 0, Usage("--mode %q: ring or transfer", s)
}

// parseGroup takes a group's name or number; "" is nobody.
func parseGroup(s string) (shm.Access, error) {
	if s == "" {
		return shm.Access{}, nil
	}
	gid, err := strconv.Atoi(s)
	if err != nil {
		g, err := user.LookupGroup(s)
		if err != nil {
			return shm.Access{}, Usage("--group %q: there is no such group", s)
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return shm.Access{}, Usage("--group %q: %w", s, err)
		}
	}
	a, err := shm.ForGroup(gid)
	if err != nil {
		return a, fmt.Errorf("--group %q: %w", s, err)
	}
	return a, nil
}

// Said reports whether a flag was given on the command line, and not only in the
// environment, which two commands may share.
func Said(c *cli.Context, flag string) bool {
	if !c.IsSet(flag) {
		return false
	}
	for _, arg := range os.Args[1:] {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name == flag && strings.HasPrefix(arg, "-") {
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
	if err != nil || strings.ContainsAny(s, "-+") || strings.TrimSpace(s) == "" {
		return fmt.Errorf("%q is no size; write 4096, 64KiB or 1MiB", s)
	}
	z.Bytes = n
	return nil
}

// String returns the size as a person would write it.
func (z *Size) String() string {
	if z == nil || z.Bytes == 0 {
		return "0"
	}
	if s := strings.ReplaceAll(humanize.IBytes(z.Bytes), " ", ""); strings.HasSuffix(s, "iB") {
		if back, err := humanize.ParseBytes(s); err == nil && back == z.Bytes {
			return strings.Replace(s, ".0", "", 1)
		}
	}
	return fmt.Sprint(z.Bytes)
}

// SizeFlag returns a flag of a size in bytes.
func SizeFlag(name string, value uint64, usage string) cli.Flag {
	return &cli.GenericFlag{Name: name, Value: &Size{value}, Usage: usage}
}

// GetSize returns the bytes of a SizeFlag.
func GetSize(c *cli.Context, name string) uint64 { return c.Generic(name).(*Size).Bytes }

// ParseFraming reads the value of a --framing flag.
func ParseFraming(s string) (layout.Framing, error) {
	for _, f := range []layout.Framing{layout.FramingLines, layout.FramingLength, layout.FramingRaw} {
		if s == f.String() {
			return f, nil
		}
	}
	return layout.FramingNone, Usage("--framing %q: lines, length or raw", s)
}

// DefaultFraming returns the framing of a file that nobody told more about:
// lines for standard input and output, else raw.
func DefaultFraming(path string) layout.Framing {
	if path == "-" {
		return layout.FramingLines
	}
	return layout.FramingRaw
}
