package cmd_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestRing_EitherSideFirst(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"producer", "consumer"} {
		t.Run(first+" first", func(t *testing.T) {
			name := testenv.SegmentName(t)
			args := map[string][]string{
				"producer": {"--name", name, "--count", "100000", "--format", "json"},
				"consumer": {"--name", name, "--verify", "--format", "json"},
			}
			second := map[string]string{"producer": "consumer", "consumer": "producer"}[first]
			a := testenv.Start(t, first, args[first]...)
			if first == "producer" {
				// Only its room ends it, so it cannot be done before the other comes.
				testenv.EventuallyHeader(t, name, "the segment", func(*layout.Header) bool { return true })
			}
			b := testenv.Start(t, second, args[second]...)
			a.WantExit(0)
			b.WantExit(0)
			for _, p := range []*testenv.Process{a, b} {
				if f := p.Final(); f.Num("producedCount") != 100000 {
					t.Errorf("%v: producedCount %v", p.Cmd.Args, f["producedCount"])
				}
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

func TestRing_Defaults(t *testing.T) {
	t.Parallel()
	// Of all tests on this machine, this one has a name that others may have as well: those of
	// another clone, which wait for this one to end.
	var turn net.Listener
	testenv.Eventually(t, "the end of this test in other processes", func() (mine bool) {
		var err error
		turn, err = net.Listen("unix", "@sluice-test-demo")
		return err == nil
	})
	defer turn.Close()
	if testenv.Header("demo") != nil {
		t.Skip("SKIPPED: a segment called demo exists, somebody may be using it; remove /dev/shm/sluice.demo to run this test")
	}
	p, c := testenv.Start(t, "producer"), testenv.Start(t, "consumer")
	t.Cleanup(func() { os.Remove("/dev/shm/sluice.demo") })
	testenv.EventuallyHeader(t, "demo", "a million messages", func(h *layout.Header) bool { return h.Count(layout.Consumer) > 1e6 })
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
	testenv.WantNoSegment(t, "demo")
}

// A scene is a pair whose one side is the slower one.
type scene struct {
	verdict, waits, idle string
	work                 string // of the consumer
	depth                float64
}

// The scene of the guide that sluice started from: 8 slots, 200 messages a second. On a machine
// that lets one of the two processes wait for a processor, that one is the slower side: the
// scene is played until it is not disturbed.
func TestRing_VerdictAndWaits_FastAndSlowConsumer(t *testing.T) {
	t.Parallel()
	for _, s := range []scene{
		{"producer-bound", "consumerWaits", "producerWaits", "0", 0},
		{"consumer-bound", "producerWaits", "consumerWaits", "20ms", 8},
	} {
		t.Run(s.verdict, func(t *testing.T) {
			t.Parallel()
			const tries = 20
			for try := range tries {
				wrong := s.play(t)
				if wrong == "" {
					return
				}
				t.Logf("try %d: %s", try, wrong)
			}
			t.Error("never as it should be")
		})
	}
}

// play returns what was not as the scene has it.
func (s scene) play(t *testing.T) (wrong string) {
	t.Helper()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--slots", "8", "--rate", "200", "--report", "100ms", "--format", "json")
	c := testenv.Start(t, "consumer", "--name", name, "--work", s.work, "--report", "100ms", "--format", "json")
	testenv.EventuallyHeader(t, name, "100 messages", func(h *layout.Header) bool { return h.Count(layout.Consumer) >= 100 })
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	c.WantExit(0)
	f := p.Final()
	if f.Num("producedCount")-f.Num("consumedCount") > 8 || f.Num("highWater") > 8 {
		t.Errorf("more than 8 in flight: %v", f)
	}
	if f["verdict"] != s.verdict {
		wrong = fmt.Sprintf("verdict %v (%v), want %s; ", f["verdict"], f["verdictWhy"], s.verdict)
	}
	if f.Num(s.waits) < 50 || f.Num(s.idle) > f.Num(s.waits)/10 {
		wrong += fmt.Sprintf("%s %v, %s %v; ", s.waits, f[s.waits], s.idle, f[s.idle])
	}
	// In one of the reports at least: the last message may just be on its way.
	near := func(f testenv.Report) bool { d := f.Num("queueDepth"); return d <= s.depth && d >= s.depth-1 }
	if !slices.ContainsFunc(p.Reports(), near) {
		wrong += fmt.Sprintf("queueDepth %v, want %v", f["queueDepth"], s.depth)
	}
	return wrong
}

// Whoever is slow gives each message's room back at once: what is held back for
// a batch would look like pressure that is not there.
func TestConsumer_Slow_ReleasesEveryMessage(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "100").WantExit(0)
	c := testenv.Start(t, "consumer", "--name", name, "--work", "20ms")
	testenv.EventuallyHeader(t, name, "a first release", func(h *layout.Header) bool { n := h.Count(layout.Consumer); return n > 0 && n < 100 })
	c.WantExit(0)
}

// As timeout(1) does it: once to the process, once to its group.
func TestSignal_TwoAtOnce_CountAsOne(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--rate", "100")
	testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Count(layout.Producer) > 0 })
	p.Signal(unix.SIGTERM)
	if err := p.Cmd.Process.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	p.WantExit(0)
}

func TestRing_Verify_SizesSlotsCapacities(t *testing.T) {
	t.Parallel()
	type shape struct {
		size, slots, capacity string
		count                 int
	}
	shapes := []shape{{"1MiB", "0", "4MiB", 200}, {"1MiB", "2", "256MiB", 300}, {"8", "0", "256MiB", 1e6}}
	for _, size := range []string{"8", "100", "4000"} {
		for _, slots := range []string{"0", "1", "2", "8"} {
			count := 20000
			if slots == "1" || slots == "2" { // where nearly each message is a sleep of both sides
				count = 1000
			}
			shapes = append(shapes, shape{size, slots, "4KiB", min(count, 10000)}, shape{size, slots, "1MiB", count})
		}
	}
	for _, s := range shapes {
		t.Run(fmt.Sprintf("size=%s,slots=%s,capacity=%s", s.size, s.slots, s.capacity), func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			count := fmt.Sprint(s.count)
			p := testenv.Start(t, "producer", "--name", name, "--size", s.size, "--slots", s.slots, "--capacity", s.capacity, "--count", count, "--report", "0")
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0", "--format", "json")
			p.WantExit(0)
			c.WantExit(0)
			if f := c.Final(); f.Num("consumedCount") != float64(s.count) {
				t.Errorf("consumedCount %v, want %d", f["consumedCount"], s.count)
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

// droppedInTheMiddle returns a consumer that has verified all messages of three producers,
// the second of which has dropped most.
func droppedInTheMiddle(t *testing.T) (name string, c *testenv.Process) {
	name = testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--slots", "4", "--count", "3").WantExit(0)
	c = testenv.Start(t, "consumer", "--name", name, "--verify", "--work", "20ms", "--follow")
	testenv.Start(t, "producer", "--name", name, "--slots", "4", "--on-full", "drop", "--count", "1000").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--count", "1").WantExit(0)
	testenv.EventuallyHeader(t, name, "an empty ring", func(h *layout.Header) bool { return h.Count(layout.Consumer) == h.Count(layout.Producer) })
	return name, c
}

func TestVerify_DroppedMessages_NotMissing(t *testing.T) {
	t.Parallel()
	name, c := droppedInTheMiddle(t)
	dropped := testenv.Header(name).ProducerStats.Dropped.Load()
	c.Signal(unix.SIGINT)
	c.WantExit(0)
	if want := fmt.Sprintf("none missing except %d that the producer dropped", dropped); dropped == 0 || !strings.Contains(c.Stderr.String(), want) {
		t.Errorf("no %q in:\n%s", want, c.Stderr.String())
	}

	name = testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--slots", "4", "--on-full", "drop", "--count", "100").WantExit(0)
	testenv.Start(t, "consumer", "--name", name, "--count", "2").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--slots", "4", "--on-full", "drop", "--count", "10").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--slots", "4", "--on-full", "fail", "--count", "10").WantError(5, name)
	c = testenv.Start(t, "consumer", "--name", name, "--verify", "--keep") // comes in the middle
	c.WantExit(7)                                                          // the last producer failed
	if want := "verified 4 messages: none missing except 96 that"; !strings.Contains(c.Stderr.String(), want) {
		t.Errorf("no %q in:\n%s", want, c.Stderr.String())
	}
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	c = testenv.Start(t, "consumer", "--name", name, "--verify")
	c.WantExit(0)
	if want := "verified 3 messages: none missing except 104 that"; !strings.Contains(c.Stderr.String(), want) {
		t.Errorf("no %q in:\n%s", want, c.Stderr.String())
	}
}

func TestVerify_Faults(t *testing.T) {
	t.Parallel()
	t.Run("one more than were dropped", func(t *testing.T) {
		name, c := droppedInTheMiddle(t)
		testenv.Overwrite(t, name, testenv.FieldOffset(t, "ProducerStats.Dropped"), testenv.Header(name).ProducerStats.Dropped.Load()-1)
		c.Signal(unix.SIGINT)
		c.WantHint(3, name+"|verify found a fault|: 1 missing, 0 repeated", "generated messages")
	})
	t.Run("messages that nobody generated", func(t *testing.T) {
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--input", "main_test.go", "--framing", "lines").WantExit(0)
		testenv.Start(t, "consumer", "--name", name, "--verify").WantHint(3, "is not a generated message|--verify checks generated messages|--input", "")
	})
}

func TestConsumer_Follow_SeveralProducers(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--verify", "--format", "json")
	for i := 1; i <= 3; i++ {
		testenv.Start(t, "producer", "--name", name, "--count", "1000").WantExit(0)
		testenv.EventuallyHeader(t, name, "an empty ring", func(h *layout.Header) bool { return h.Count(layout.Consumer) == uint64(1000*i) })
	}
	c.Signal(unix.SIGINT)
	c.WantExit(0)
	if f := c.Final(); f.Num("consumedCount") != 3000 {
		t.Errorf("consumedCount %v, want 3000", f["consumedCount"])
	}
	testenv.WantNoSegment(t, name)
}
