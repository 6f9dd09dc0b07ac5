package cmd_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// The keys that users' programs hold on to.
var keys = strings.Fields(`role name mode elapsedSec final producedCount consumedCount producerWaits consumerWaits
	producerWaitSec consumerWaitSec queueDepth queueBytes capacityBytes fill throughputPerSec refusedCount droppedCount
	lostCount refuseReason highWater memoryBytes verdict latency producedBytes consumedBytes streamEnd run producer consumer`)

func TestReportsInJSON(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--format", "json", "--report", "20ms")
	c.reporting()
	p := start(t, "producer", "--name", name, "--format", "json", "--report", "20ms", "--slots", "8")
	moved(t, name, 100_000)
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)

	alone := c.reports()[0] // before there was a segment
	for _, f := range []figures{alone, p.final(), c.final()} {
		for _, k := range keys {
			if _, ok := f[k]; !ok {
				t.Errorf("no %s in %v", k, f)
			}
		}
	}
	if alone["producedCount"] != nil || alone["fill"] != nil || alone["latency"] != nil || alone["verdict"] != "no-producer" {
		t.Errorf("what is unknown is null, not %v", alone)
	}
	f := c.final()
	if f["role"] != "consumer" || f["name"] != name || f["mode"] != "ring" || f["final"] != true {
		t.Errorf("final report %v", f)
	}
	if f["consumedCount"] != f["producedCount"] || f.num("queueDepth") != 0 || f.num("highWater") < 1 || f.num("highWater") > 8 {
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
	for _, r := range append(p.reports(), c.reports()...) {
		if r["queueDepth"] != nil && (r.num("queueDepth") > 8 || r.num("queueDepth") < 0) {
			t.Errorf("queueDepth %v with 8 slots", r["queueDepth"])
		}
	}
}

func TestOnlyTheFinalReportWithReport0(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name, "--report", "0", "--format", "json", "--rate", "20")
	eventually(t, name, "30 messages", func(h *layout.Header) bool { return h.Producer.Count.Load() >= 30 })
	p.signal(unix.SIGTERM)
	p.ends(0)
	if n := len(p.reports()); n != 1 || p.final()["producedCount"] == nil {
		t.Errorf("%d reports:\n%s", n, p.stderr.String())
	}
}

func TestTheFinalReportIsAboutThisRun(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "90").ends(0)
	p := start(t, "producer", "--name", name, "--count", "5")
	p.ends(0)
	for _, want := range []string{"going on after 90 messages", "--fresh", "produced   5 messages, 40 B", "95 produced and 0 consumed in this segment", "95 messages unread"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("no %q in:\n%s", want, p.stderr.String())
		}
	}
	c := start(t, "consumer", "--name", name, "--verify")
	c.ends(0)
	if want := "verified 95 messages: none missing, repeated or damaged"; !strings.Contains(c.stderr.String(), want) {
		t.Errorf("no %q in:\n%s", want, c.stderr.String())
	}
}

func TestReportsForPeople(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name, "--report", "20ms", "--slots", "4", "--input", "/dev/zero", "--chunk", "100")
	c := start(t, "consumer", "--name", name, "--work", "10ms", "--report", "0")
	moved(t, name, 20)
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(7)
	for _, want := range []string{"prod. waits", "[######]", "consumer-bound", "ran for", "latency"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("no %q in:\n%s", want, p.stderr.String())
		}
	}
	for line := range strings.Lines(p.stderr.String()) {
		if len(line) > 81 && !strings.Contains(line, "latency") {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if strings.ContainsAny(p.stderr.String(), "\r\x1b") {
		t.Errorf("control characters although standard error is no terminal:\n%q", p.stderr.String())
	}
	if p.stdout.String()+c.stdout.String() != "" {
		t.Error("a report went to standard output")
	}
}
