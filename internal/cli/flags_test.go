package cli

import (
	"errors"
	"os"
	"testing"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/ring"
)

func TestSize_ParseAndFormat(t *testing.T) {
	for in, want := range map[string]uint64{"4096": 4096, "64KiB": 64 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30, "64k": 64000, "0": 0} {
		var z Size
		if err := z.Set(in); err != nil || z.Bytes != want {
			t.Errorf("%q: %d, %v; want %d", in, z.Bytes, err, want)
		}
		back := Size{Bytes: 1}
		if err := back.Set(z.String()); err != nil || back.Bytes != want {
			t.Errorf("%q prints as %q, which is %d", in, z.String(), back.Bytes)
		}
	}
	for _, in := range []string{"", " ", "-1", "+5", "much", "1XiB", "99999999999999999999", "1e30"} {
		z := Size{Bytes: 7}
		if err := z.Set(in); err == nil || z.Bytes != 7 {
			t.Errorf("%q: accepted as %d", in, z.Bytes)
		}
	}
}

// parsed is what ParseCommon makes of a command line.
func parsed(t *testing.T, args ...string) (o Common, err error) {
	t.Helper()
	line := os.Args
	defer func() { os.Args = line }()
	os.Args = append([]string{"producer"}, args...)
	app := &urfave.App{Flags: CommonFlags(NameFlag("demo"), "ring"), Action: func(c *urfave.Context) error { o, err = ParseCommon(c); return nil }}
	if err := app.Run(os.Args); err != nil {
		t.Fatal(err)
	}
	return o, err
}

func TestSpin_Parse(t *testing.T) {
	for _, c := range []struct {
		args []string
		want time.Duration
	}{
		{nil, ring.SpinAdaptive},
		{[]string{"--spin", "5us"}, 5 * time.Microsecond},
		{[]string{"--spin", "0"}, ring.SpinNever},
	} {
		if o, err := parsed(t, c.args...); o.Spin != c.want || err != nil {
			t.Errorf("%v: %v, %v; want %v", c.args, o.Spin, err, c.want)
		}
	}
}

func TestFlags_ImpossibleCombinations_UsageError(t *testing.T) {
	for _, args := range [][]string{
		{"--group", ""}, {"--socket", ""}, {"--group", "-1"}, {"--group=-1"}, {"--group", "no such group"}, {"--mode", "transfer", "--spin", "0"},
	} {
		if o, err := parsed(t, args...); !errors.Is(err, errUsage) {
			t.Errorf("%q: %+v, %v", args, o, err)
		}
	}
}
