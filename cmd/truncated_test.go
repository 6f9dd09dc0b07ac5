package cmd_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// Each side has counted what it did, whatever is left to be read of the segment.
func TestSummary_SegmentTruncated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode string
		load []string
	}{
		{"ring", nil}, {"transfer", nil}, {"ring", []string{"--open-loop"}}, {"transfer", []string{"--open-loop"}},
	} {
		mode := c.mode
		for _, left := range []int64{0, 4096} {
			t.Run(fmt.Sprintf("%s %v, %d bytes left", mode, c.load, left), func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				first := testenv.Start(t, "producer", "--mode", mode, "--name", name, "--count", "10", "--rate", "1000")
				testenv.Start(t, "consumer", "--name", name, "--keep").WantExit(0)
				first.WantExit(0) // else the next one is refused
				var sides [2]*testenv.Process
				var passed [2]uint64
				sides[1] = testenv.Start(t, "consumer", "--name", name, "--report", "0")
				sides[0] = testenv.Start(t, "producer", append(c.load, "--mode", mode, "--name", name, "--report", "0", "--rate", "500", "--format", "json")...)
				testenv.EventuallyConsumed(t, name, 50)
				h := testenv.Header(name)
				passed = [2]uint64{h.Count(layout.Producer), h.Count(layout.Consumer)}
				if err := os.Truncate(shm.Path(name), left); err != nil {
					t.Fatal(err)
				}
				for i, side := range sides {
					if code := side.Wait(); code != 6 && code != 7 {
						t.Errorf("%v: exit code %d", side.Cmd.Args, code)
					}
					said := side.Stderr.String()
					if strings.Contains(said, "start a consumer") || strings.Contains(said, "waiting for a consumer") {
						t.Errorf("no consumer can come any more:\n%s", said)
					}
					if i == 0 {
						f := side.Final()
						if n := f.Num("producedCount"); n < float64(passed[0]) || n > float64(passed[0])+1000 || f["consumedCount"] != nil || f["verdict"] != nil || f["queueDepth"] != nil {
							t.Errorf("%d produced when it was truncated:\n%v", passed[0], f)
						}
						continue
					}
					m := regexp.MustCompile(`consumed   ([0-9]+) messages, by its own count\n  verdict    unknown\n +the segment was truncated`).FindStringSubmatch(said)
					if m == nil || strings.Contains(said, "  produced ") {
						t.Fatalf("%s", said)
					}
					if n, _ := strconv.ParseUint(m[1], 10, 64); n < passed[1]-10 || n > passed[1]+1000 {
						t.Errorf("%d consumed, of these 10 before, when it was truncated:\n%s", passed[1], said)
					}
				}
			})
		}
	}
}
