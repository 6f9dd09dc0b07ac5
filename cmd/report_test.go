package cmd_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestReport_JSON(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json", "--report", "20ms")
	c.EventuallyPrints("\n")
	p := testenv.Start(t, "producer", "--name", name, "--format", "json", "--report", "20ms", "--slots", "8")
	testenv.EventuallyConsumed(t, name, 100_000)
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)

	alone := c.Reports()[0] // before there was a segment
	for _, f := range []testenv.Report{alone, p.Final(), c.Final()} {
		for _, k := range testenv.ReportKeys {
			if _, ok := f[k]; !ok {
				t.Errorf("no %s in %v", k, f)
			}
		}
	}
	if alone["producedCount"] != nil || alone["fill"] != nil || alone["latency"] != nil || alone["verdict"] != "no-producer" {
		t.Errorf("what is unknown is null, not %v", alone)
	}
	f := c.Final()
	if f["role"] != "consumer" || f["name"] != name || f["mode"] != "ring" || f["final"] != true {
		t.Errorf("final report %v", f)
	}
	if f["consumedCount"] != f["producedCount"] || f.Num("queueDepth") != 0 || f.Num("highWater") < 1 || f.Num("highWater") > 8 {
		t.Errorf("final report %v", f)
	}
	latency, _ := f["latency"].(map[string]any)
	before := 0.0
	for _, k := range []string{"p50", "p90", "p99", "p999", "max"} {
		ns, _ := latency[k].(float64)
		if ns <= 0 || ns < before {
			t.Errorf("latency %s is %v in %v", k, ns, latency)
		}
		before = ns
	}
	for _, r := range append(p.Reports(), c.Reports()...) {
		if r["queueDepth"] != nil && (r.Num("queueDepth") > 8 || r.Num("queueDepth") < 0) {
			t.Errorf("queueDepth %v with 8 slots", r["queueDepth"])
		}
	}
}

// The rates of a last report are of the time since there was a segment, which it has as well.
func TestReport_RatesOfARunAfterAWait(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json", "--report", "300ms")
	c.EventuallyPrints("\n") // it has waited
	testenv.Start(t, "producer", "--name", name, "--count", "1000", "--rate", "1e4").WantExit(0)
	c.WantExit(0)
	f := c.Final()
	run := counts(t, f, "run")
	if e := run.Num("elapsedSec"); e <= 0 || e > f.Num("elapsedSec")-0.3 {
		t.Errorf("%v s of %v", e, f.Num("elapsedSec"))
	}
	if rate := run.Num("consumedCount") / run.Num("elapsedSec"); math.Abs(rate/f.Num("throughputPerSec")-1) > 0.01 {
		t.Errorf("throughputPerSec %v, want %v", f.Num("throughputPerSec"), rate)
	}
}

func TestReport_Zero_FinalOnly(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--report", "0", "--format", "json", "--rate", "20")
	testenv.EventuallyHeader(t, name, "30 messages", func(h *layout.Header) bool { return h.Count(layout.Producer) >= 30 })
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	if n := len(p.Reports()); n != 1 || p.Final()["producedCount"] == nil {
		t.Errorf("%d reports:\n%s", n, p.Stderr.String())
	}
}

func TestReport_Final_OfThisRun(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "90").WantExit(0)
	p := testenv.Start(t, "producer", "--name", name, "--count", "5")
	p.WantExit(0)
	for _, want := range []string{"continuing after 90 messages", "--fresh", "produced   5 messages, 40 B", "95 produced and 0 consumed in this segment", "95 messages unread"} {
		if !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("no %q in:\n%s", want, p.Stderr.String())
		}
	}
	c := testenv.Start(t, "consumer", "--name", name, "--verify")
	c.WantExit(0)
	if want := "verified 95 messages: none missing, repeated or damaged"; !strings.Contains(c.Stderr.String(), want) {
		t.Errorf("no %q in:\n%s", want, c.Stderr.String())
	}
}

func TestReport_Text(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--report", "20ms", "--slots", "4", "--input", "/dev/zero", "--chunk", "100")
	c := testenv.Start(t, "consumer", "--name", name, "--work", "10ms", "--report", "0")
	testenv.EventuallyConsumed(t, name, 20)
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(7)
	for _, want := range []string{"prod. waits", "[######]", "consumer-bound", "ran for", "latency"} {
		if !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("no %q in:\n%s", want, p.Stderr.String())
		}
	}
	// What a terminal breaks: the words of a verdict and its advice, which depend on what came to
	// pass.
	words, lastWords := fmt.Sprintf("%-8s %7s ", "producer", ""), fmt.Sprintf("  %-10s ", "")
	for line := range strings.Lines(p.Stderr.String()) {
		if len(line) > 81 && !strings.Contains(line, "latency") && !strings.HasPrefix(line, words) && !strings.HasPrefix(line, lastWords) {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if strings.ContainsAny(p.Stderr.String(), "\r\x1b") {
		t.Errorf("control characters although standard error is no terminal:\n%q", p.Stderr.String())
	}
	if p.Stdout.String()+c.Stdout.String() != "" {
		t.Error("a report went to standard output")
	}
}
