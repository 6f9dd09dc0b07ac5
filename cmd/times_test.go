package cmd_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// wantAccount expects that all that was offered is somewhere.
func wantAccount(t *testing.T, r testenv.Report) {
	t.Helper()
	if r["producedCount"] == nil { // before there was a segment
		return
	}
	if sum := r.Num("producedCount") + r.Num("droppedCount") + r.Num("refusedMessages") + r.Num("unsentCount"); r.Num("offeredCount") != sum {
		t.Errorf("offered %v, but %v in all: %v", r.Num("offeredCount"), sum, r)
	}
	if run, ok := r["run"].(map[string]any); ok {
		run := testenv.Report(run)
		if sum := run["producedCount"].(float64) + run.Num("droppedCount") + run.Num("refusedMessages") + run["unsentCount"].(float64); run.Num("offeredCount") != sum {
			t.Errorf("of the run offered %v, but %v in all: %v", run.Num("offeredCount"), sum, run)
		}
	}
}

// stat is gauge stat --json.
func stat(t *testing.T, name string) (r testenv.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(testenv.GaugeOutput(t, "stat", "--name", name, "--json")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// A consumer that pauses makes messages wait: in front of a producer that is held back, where
// latency does not see them, or in the queue. The response is the same.
func TestTimes_ConsumerPauses(t *testing.T) {
	t.Parallel()
	for model, c := range map[string]struct {
		flags  []string
		before bool // messages wait before they are published
	}{
		"hard":   {bothModes["ring"], true},
		"credit": {[]string{"--mode", "transfer", "--limit", "64KiB", "--on-limit", "block"}, true},
		"soft":   {bothModes["transfer"], false},
	} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			// On a machine that lets the producer wait for a processor as long as for the consumer,
			// messages wait for both: then the pause is made longer.
			for pause := 500 * time.Millisecond; ; pause *= 2 {
				wrong := pauseConsumer(t, pause, c.before, c.flags)
				if len(wrong) == 0 {
					return
				}
				t.Logf("a pause of %v:\n%s", pause, strings.Join(wrong, "\n"))
				if pause > 3*time.Second {
					t.Fatal("never as it should be")
				}
			}
		})
	}
}

// pauseConsumer runs an open-loop load whose consumer pauses after a sixth of it, and returns which
// times are not as expected. before says that messages wait before they are published.
func pauseConsumer(t *testing.T, pause time.Duration, before bool, flags []string) (wrong []string) {
	t.Helper()
	not := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	const rate = 1000
	name, count := testenv.SegmentName(t), 6*rate*pause.Seconds()
	p := testenv.Start(t, "producer", append([]string{"--name", name, "--open-loop", "--rate", fmt.Sprint(rate), "--count", fmt.Sprint(count),
		"--keep", "--format", "json", "--report", "50ms"}, flags...)...)
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--format", "json", "--report", "50ms")
	testenv.EventuallyConsumed(t, name, uint64(count/6))
	if c.Cmd.Process.Signal(unix.SIGSTOP) != nil {
		not("the consumer had ended when it was to be stopped")
	}
	time.Sleep(pause)
	c.Cmd.Process.Signal(unix.SIGCONT)
	p.WantExit(0)
	c.WantExit(0)

	backlog := 0.0
	for _, r := range append(p.Reports(), c.Reports()...) {
		wantAccount(t, r)
		backlog = max(backlog, r.Num("unsentCount"))
	}
	if (backlog > rate*pause.Seconds()/5) != before {
		not("%v messages waited in front of the producer", backlog)
	}
	for _, f := range []testenv.Report{p.Final(), c.Final(), stat(t, name)} {
		wantAccount(t, f)
		latency, response := counts(t, counts(t, f, "run"), "latency"), counts(t, counts(t, f, "run"), "response")
		if f.Num("offeredCount") != count || f.Num("unsentCount") != 0 {
			t.Errorf("%v offered, %v unsent", f.Num("offeredCount"), f.Num("unsentCount"))
		}
		if at := response.Num("p99"); response.Num("max") < at || response.Num("p50") > at {
			t.Errorf("%v: the response is %v", f["role"], response)
		}
		if at := response.Num("p99"); at < 0.8*float64(pause) || response.Num("mean") > at {
			not("%v: the response is %v after a pause of %v", f["role"], response, pause)
		}
		if hidden := 2*latency.Num("p99") < response.Num("p99"); hidden != before {
			not("%v: latency %v, response %v", f["role"], latency, response)
		}
		if _, known := f["run"].(map[string]any)["latenessExplains"].(string); !known {
			not("%v: latenessExplains is unknown", f["role"])
		}
		// The last report of a side is of the whole run, an observer's of the last second.
		if whole := reflect.DeepEqual(f["response"], f["run"].(map[string]any)["response"]); whole != (f["role"] != "observer") {
			t.Errorf("%v: response %v, of the run %v", f["role"], f["response"], response)
		}
	}
	return wrong
}

func TestTimes_NoSchedule_OnlyLatency(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--count", "2000", "--rate", "1e4", "--keep", "--format", "json", "--report", "20ms")
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json", "--report", "20ms")
	p.WantExit(0)
	c.WantExit(0)
	for _, r := range append(append(p.Reports(), c.Reports()...), stat(t, name)) {
		wantAccount(t, r)
		for _, k := range []string{"response", "lateness", "latenessExplains", "schedulePerSec"} {
			if v, there := r[k]; v != nil || !there {
				t.Errorf("%s is %v", k, v)
			}
		}
	}
	f := counts(t, c.Final(), "run")
	if counts(t, f, "latency").Num("p99") <= 0 || f["response"] != nil || f.Num("offeredCount") != f.Num("producedCount") || f.Num("unsentCount") != 0 {
		t.Errorf("%v", f)
	}
}

// People read the two times side by side, in the same words everywhere.
func TestTimes_Text(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	// At a rate that a producer keeps on any machine: one that is always late has no lateness.
	p := testenv.Start(t, "producer", "--name", name, "--open-loop", "--rate", "100", "--count", "150", "--keep", "--report", "100ms")
	c := testenv.Start(t, "consumer", "--name", name, "--report", "100ms")
	p.WantExit(0)
	c.WantExit(0)
	for who, text := range map[string]string{"producer": p.Stderr.String(), "consumer": c.Stderr.String(), "gauge stat": testenv.GaugeOutput(t, "stat", name)} {
		words := []string{"\n  offered    ", "   p50    p90    p99  p99.9    max   mean\n  latency    ", "\n  response   ", "\n  lateness   "}
		if who != "gauge stat" {
			words = append(words, "latency       response\n            time  msg/s unsent  depth    p50    p99    p50    p99 verdict\n")
		}
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", who, w, text)
			}
		}
		if strings.Contains(text, "due and not sent") {
			t.Errorf("%s: all was sent:\n%s", who, text)
		}
	}
}

// What waits in front of the producer is part of the verdict, and so is what is left there by one
// that ended, or was killed.
func TestVerdict_BacklogInFrontOfTheProducer(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", kill), func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", "--name", name, "--open-loop", "--rate", "1000", "--slots", "8", "--keep", "--format", "json", "--report", "100ms")
			testenv.Start(t, "consumer", "--name", name, "--work", "5ms", "--report", "0")
			testenv.Eventually(t, "a verdict on the backlog", func() bool {
				all := p.Reports()
				return len(all) > 0 && all[len(all)-1].HasVerdict("consumer-bound", " messages that are due wait in front of the producer, and their number grows", "offer less (--rate)")
			})
			if seen := stat(t, name); !seen.HasVerdict("consumer-bound", "wait in front of the producer") || seen.Num("schedulePerSec") != 1000 {
				t.Errorf("%v", seen)
			}
			if kill {
				p.Kill()
				testenv.EventuallyHeader(t, name, "an empty queue", func(h *layout.Header) bool { return h.Count(layout.Consumer) == h.Count(layout.Producer) })
				if seen := stat(t, name); !seen.HasVerdict("no-producer", "the last producer died", " were due and not sent") || seen.Num("unsentCount") < 50 {
					t.Errorf("%v", seen)
				}
				return
			}
			p.Signal(unix.SIGTERM)
			p.WantExit(0)
			f := p.Final()
			run := counts(t, f, "run")
			if !f.HasVerdict("consumer-bound", " were due and not sent") || run.Num("unsentCount") < 50 || f["unsentCount"] != run["unsentCount"] {
				t.Errorf("%v", f)
			}
		})
	}
}

// What a producer cannot send because it has no time for more is not the consumer's fault.
func TestVerdict_ProducerBehindItsSchedule(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--open-loop", "--rate", "1e8", "--size", "64KiB", "--capacity", "64MiB", "--format", "json", "--report", "200ms")
	testenv.Start(t, "consumer", "--name", name, "--report", "0")
	testenv.Eventually(t, "a verdict on the producer", func() bool {
		for _, r := range p.Reports() {
			if r.HasVerdict("producer-bound", "of the 100 M msg/s that are due, and is not blocked", "offer less (--rate)") {
				return true
			}
		}
		return false
	})
}

// What was due in the end and not sent is said in words.
func TestTimes_UnsentAtTheEnd(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--open-loop", "--rate", "1000", "--slots", "8", "--duration", "300ms", "--report", "0")
	p.WantExit(0)
	text := p.Stderr.String()
	for _, w := range []string{"\n  unsent     ", " messages were due and not sent\n", "\n  offered    "} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}
