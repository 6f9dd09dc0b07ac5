package cmd_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// counts is an object of counts in a report.
func counts(t *testing.T, f testenv.Report, key string) testenv.Report {
	t.Helper()
	object, ok := f[key].(map[string]any)
	if !ok {
		t.Fatalf("%s is %v", key, f[key])
	}
	return object
}

// What an earlier run has done in the segment is not this one's.
func TestSummary_SecondRun_Ring(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--keep", "--slots", "64", "--on-full", "drop", "--count", "100").WantExit(0)
	c := testenv.Start(t, "consumer", "--name", name, "--keep", "--format", "json")
	c.WantExit(0)
	if r := counts(t, c.Final(), "run"); r.Num("waitingCount") != 64 || r.Num("producedCount") != 0 || r.Num("consumedCount") != 64 || r.Num("droppedCount") != 0 {
		t.Errorf("the first consumer: %v", r)
	}
	p := testenv.Start(t, "producer", "--name", name, "--keep", "--count", "5")
	p.WantExit(0)
	for _, want := range []string{"produced   5 messages, 40 B\n", "consumed   0 messages", "69 produced and 64 consumed in this segment", "queue      5 messages", "at most 5 messages"} {
		if !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, p.Stderr.String())
		}
	}
	if strings.Contains(p.Stderr.String(), "dropped") {
		t.Errorf("this one has dropped nothing:\n%s", p.Stderr.String())
	}
	p = testenv.Start(t, "producer", "--name", name, "--keep", "--count", "7", "--format", "json")
	p.WantExit(0)
	f := p.Final()
	if r := counts(t, f, "run"); r.Num("waitingCount") != 5 || r.Num("producedCount") != 7 || r.Num("consumedCount") != 0 || r.Num("droppedCount") != 0 || f.Num("producedCount") != 76 || f.Num("droppedCount") != 36 {
		t.Errorf("%v of %v", r, f)
	}
}

// A second producer has only its own to deliver, and does not know what becomes of what
// one that was killed had queued.
func TestSummary_SecondRun_Transfer(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--work", "100us", "--format", "json")
	first := testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "20000")
	testenv.EventuallyHeader(t, name, "more than a socket holds", func(h *layout.Header) bool { return h.Count(layout.Producer) > h.Count(layout.Consumer)+5000 })
	first.Kill()
	p := testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--count", "30", "--keep")
	p.WantExit(0)
	said := p.Stderr.String()
	if m := regexp.MustCompile(`delivering ([0-9,]+) queued messages`).FindStringSubmatch(said); m != nil {
		if n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", "")); err != nil || n > 30 {
			t.Errorf("it had 30:\n%s", said)
		}
	}
	if !strings.Contains(said, "produced   30 messages, 240 B; ") || !strings.Contains(said, "left by an earlier producer") || strings.Contains(said, "queued before") {
		t.Errorf("%s", said)
	}
	p = testenv.Start(t, "producer", "--mode", "transfer", "--name", name, "--count", "20", "--keep")
	p.WantExit(0)
	said = p.Stderr.String()
	if !strings.Contains(said, "produced   20 messages, 160 B\n") || strings.Contains(said, "lost") || !strings.Contains(said, "at most 20 messages") {
		t.Errorf("%s", said)
	}
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	f := c.Final()
	r := counts(t, f, "run")
	if r.Num("consumedCount") != f.Num("consumedCount") || r.Num("lostCount") != f.Num("lostCount") || r.Num("waitingCount")+r.Num("producedCount") != f.Num("producedCount") || f.Num("lostCount") == 0 {
		t.Errorf("%v of %v", r, f)
	}
}

// ends are the streamEnd of the notes that a command has printed.
func streamEnds(p *testenv.Process) (ends []any) {
	for line := range strings.Lines(p.Stderr.String()) {
		var object map[string]any
		if json.Unmarshal([]byte(line), &object) == nil && object["note"] != nil && object["streamEnd"] != nil {
			ends = append(ends, object["streamEnd"])
		}
	}
	return ends
}

// How a stream has ended is a key, in every line that knows it: of the producer, of a
// consumer, of gauge, and of a consumer that goes on with the next one.
func TestReport_StreamEnd(t *testing.T) {
	t.Parallel()
	long := testenv.WriteFile(t, []byte("short\n"+strings.Repeat("x", 5000)+"\n"))
	for _, mode := range []string{"ring", "transfer"} {
		for _, c := range []struct {
			end            any
			args           []string
			stop           bool
			code, consumer int
		}{
			{"complete", []string{"--count", "10"}, false, 0, 0},
			{"stopped", []string{"--count", "10000", "--rate", "100"}, true, 0, 7},
			{"failed", []string{"--input", long, "--framing", "lines"}, false, 1, 7},
		} {
			if c.end == "failed" && mode == "transfer" {
				continue // which takes the line
			}
			t.Run(fmt.Sprint(mode, " ", c.end), func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				args := append([]string{"--mode", mode, "--name", name, "--keep", "--format", "json"}, c.args...)
				if c.end == "failed" {
					args = append(args, "--capacity", "4KiB")
				}
				run := func(consumer *testenv.Process) {
					p := testenv.Start(t, "producer", args...)
					if c.stop {
						testenv.EventuallyHeader(t, name, "messages", func(h *layout.Header) bool { return h.Count(layout.Producer) > 3 })
						if consumer != nil {
							testenv.EventuallyConsumed(t, name, 1)
						}
						p.Signal(unix.SIGTERM)
					}
					p.WantExit(c.code)
					if got := p.Final()["streamEnd"]; got != c.end {
						t.Errorf("the producer says %v", got)
					}
				}
				follower := testenv.Start(t, "consumer", "--name", name, "--follow", "--format", "json")
				run(follower)
				testenv.Eventually(t, "its end", func() bool { return len(streamEnds(follower)) == 1 })
				follower.Signal(unix.SIGTERM)
				follower.WantExit(0)
				if got := streamEnds(follower)[0]; got != c.end || follower.Final()["streamEnd"] != c.end {
					t.Errorf("a consumer that follows says %v and %v", got, follower.Final()["streamEnd"])
				}
				consumer := testenv.Start(t, "consumer", "--name", name, "--format", "json")
				testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 2 })
				run(consumer)
				consumer.WantExit(c.consumer)
				if got := consumer.Final()["streamEnd"]; got != c.end {
					t.Errorf("a consumer says %v", got)
				}
				var seen testenv.Report
				if err := json.Unmarshal([]byte(testenv.GaugeOutput(t, "stat", "--json", name)), &seen); err != nil || seen["streamEnd"] != c.end || counts(t, seen, "run")["producedCount"] != seen["producedCount"] {
					t.Errorf("gauge says %v", seen)
				}
			})
		}
	}
}

// A killed producer has not ended its stream.
func TestReport_ProducerKilled_NoStreamEnd(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json", "--verify")
	p := testenv.Start(t, "producer", "--name", name, "--rate", "1000")
	testenv.EventuallyConsumed(t, name, 1)
	p.Kill()
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	f := c.Final()
	if f["streamEnd"] != nil || counts(t, f, "producer")["alive"] != false || counts(t, f, "producer")["where"] != "died" {
		t.Errorf("%v", f)
	}
	if said := c.Stderr.String(); !strings.Contains(said, `{"note":"verified `) || !strings.Contains(said, fmt.Sprintf(`"verifiedCount":%v}`, f["consumedCount"])) {
		t.Errorf("%s", said)
	}
}

// The producer notes the deepest queue only now and then.
func TestReport_HighWaterNeverBelowDepth(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", "--mode", mode, "--name", name, "--rate", "20000", "--report", "5ms", "--format", "json")
		testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > 2000 })
		c := testenv.Start(t, "consumer", "--name", name, "--report", "5ms", "--format", "json")
		testenv.EventuallyConsumed(t, name, 3000)
		p.Signal(unix.SIGTERM)
		p.WantExit(0)
		c.WantExit(0)
		for _, side := range []*testenv.Process{p, c} {
			deepest := 0.0
			for _, f := range side.Reports() {
				if f["queueDepth"] == nil {
					continue
				}
				if f.Num("highWater") < f.Num("queueDepth") || f.Num("highWater") < deepest {
					t.Errorf("%s: %v after %v, with %v queued", mode, f["highWater"], deepest, f["queueDepth"])
				}
				deepest = f.Num("highWater")
			}
		}
	}
}
