package cmd_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestRing_ConsumerKilled_LosesNothing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name)
	for range 5 {
		c := testenv.Start(t, "consumer", "--name", name, "--verify")
		testenv.EventuallyConsumed(t, name, 100_000)
		c.Kill()
	}
	c := testenv.Start(t, "consumer", "--name", name, "--verify")
	testenv.EventuallyConsumed(t, name, 100_000)
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
	testenv.WantNoSegment(t, name)
}

func TestRing_ProducerKilled_LosesNothing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--format", "json")
	for range 5 {
		p := testenv.Start(t, "producer", "--name", name, "--size", "100")
		testenv.EventuallyConsumed(t, name, 100_000)
		p.Kill()
		h := testenv.Header(name)
		if n := h.Count(layout.Producer) - h.Count(layout.Consumer); int64(n) < 0 || n > 1<<20/112 {
			t.Fatalf("%d messages in a ring of 1 MiB", n)
		}
	}
	testenv.Start(t, "producer", "--name", name, "--count", "1000", "--size", "100").WantExit(0)
	c.WantExit(0)
	if f := c.Final(); f["producedCount"] != f["consumedCount"] {
		t.Errorf("%v produced, %v consumed", f["producedCount"], f["consumedCount"])
	}
	testenv.WantNoSegment(t, name)
}

func TestRing_BothKilled_LosesNothing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p, c := testenv.Start(t, "producer", "--name", name), testenv.Start(t, "consumer", "--name", name, "--verify")
	testenv.EventuallyConsumed(t, name, 100_000)
	c.Kill()
	p.Kill()
	c = testenv.Start(t, "consumer", "--name", name, "--verify")
	testenv.Start(t, "producer", "--name", name, "--count", "1000").WantExit(0)
	c.WantExit(0)
	testenv.WantNoSegment(t, name)
}

func TestProducer_Fresh_DiscardsLeftovers(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "100").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--fresh", "--capacity", "4KiB", "--count", "7").WantExit(0)
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json")
	c.WantExit(0)
	if f := c.Final(); f.Num("consumedCount") != 7 || f.Num("capacityBytes") != 4096 {
		t.Errorf("consumedCount %v, capacityBytes %v", f["consumedCount"], f["capacityBytes"])
	}
}

// cpuTime is what a process has used so far.
func cpuTime(t *testing.T, p *testenv.Process) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var user, system int64
	rest := string(stat)[strings.LastIndexByte(string(stat), ')')+2:]
	fields := strings.Fields(rest)
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 everywhere
}

// A wait that polls would use a second's worth of processor each second. The
// bound is on work, not on time: a slow machine sleeps as well as a fast one.
func TestRing_SleepingSide_UsesNoCPU(t *testing.T) {
	t.Parallel()
	const while = 3 * time.Second
	for _, side := range []struct{ name, role, state string }{
		{"a producer without consumer", "producer", "alone"},
		{"a consumer without messages", "consumer", "blocked"},
	} {
		t.Run(side.name, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			args := []string{"--name", name, "--format", "json", "--report", "100ms"}
			if side.role == "consumer" {
				testenv.Start(t, "producer", "--name", name, "--rate", "0.001", "--report", "0")
			}
			p := testenv.Start(t, side.role, args...)
			testenv.EventuallyHeader(t, name, "sleep", func(h *layout.Header) bool {
				role := layout.Producer
				if side.role == "consumer" {
					role = layout.Consumer
				}
				return layout.State(h.Stats(role).State.Load()).String() == side.state
			})
			before := cpuTime(t, p)
			time.Sleep(while)
			if used := cpuTime(t, p) - before; used > while/20 {
				t.Errorf("%v of processor in %v asleep", used, while)
			}
			if side.role == "producer" {
				if all := p.Reports(); all[len(all)-1]["verdict"] != "no-consumer" {
					t.Errorf("verdict %v", all[len(all)-1]["verdict"])
				}
			}
		})
	}
}
