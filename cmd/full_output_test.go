package cmd_test

import (
	"os"
	"sluice/internal/testenv"
	"strings"
	"testing"
)

// A full disk and a reader that has ended are said once, each with its own hint.
func TestStdout_FullOrClosed_OneErrorOneHint(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	r, broken := testenv.Pipe(t)
	r.Close()
	defer broken.Close()
	for _, args := range []string{
		"producer --help", "producer --version", "consumer help", "consumer --version --format json", "gauge", "gauge ls", "gauge ls --json", "gauge stat " + name,
		"gauge stat --json " + name, "gauge watch", "gauge layout", "gauge layout --json", "gauge doctor", "gauge help rm", "gauge record --duration 50ms " + name,
	} {
		for output, says := range map[*os.File][2]string{
			full:   {"no space left on device", "free some space"},
			broken: {"broken pipe", "the reader"},
		} {
			fields := strings.Fields(args)
			p := testenv.StartWith(t, fields[0], testenv.Options{Args: fields[1:], Stdout: output})
			p.WantExit(1)
			said := p.Stderr.String()
			if text, errors, hints := testenv.ErrorAndHint(said); errors != 1 || hints != 1 || strings.Count(text, says[0]) != 1 || strings.Count(text, says[1]) != 1 {
				t.Errorf("%s: %d errors, %d hints\n%swant %q once", args, errors, hints, said, says)
			}
		}
	}
	testenv.Start(t, "gauge", "record", "--output", "/dev/full", name).WantError(1, "/dev/full", "no space left on device", "free some space")
}
