package cmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// Words are results: each of these makes something happen, and reads what both sides
// and an observer say of it.

// reportSays waits for a report that has that verdict, with all those words.
func reportSays(t *testing.T, p *testenv.Process, verdict string, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(testenv.Timeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, f := range p.Reports() {
			if f.HasVerdict(verdict, words...) {
				return
			}
		}
	}
	t.Fatalf("%v: no report says %s with %q; stderr:\n%s", p.Cmd.Args, verdict, words, p.Stderr.String())
}

// finalSays expects that of the last report.
func finalSays(t *testing.T, p *testenv.Process, verdict string, words ...string) {
	t.Helper()
	if f := p.Final(); !f.HasVerdict(verdict, words...) {
		t.Errorf("%v: the last report does not say %s with %q, but %v: %v; %v", p.Cmd.Args, verdict, words, f["verdict"], f["verdictWhy"], f["verdictAdvice"])
	}
}

func often(name string, args ...string) []string {
	return append([]string{"--name", name, "--format", "json", "--report", "200ms"}, args...)
}

func TestVerdict_RingFills_ConsumerBound(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", often(name, "--rate", "400")...)
	c := testenv.Start(t, "consumer", often(name, "--work", "10ms")...)
	for _, side := range []*testenv.Process{p, c} {
		reportSays(t, side, "consumer-bound", "the ring is full in about", "speed up the consumer")
	}
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	finalSays(t, p, "consumer-bound", "the producer sends", "the consumer receives")
	if f := p.Final(); f.Num("producerWaits") != 0 || f.Num("fill") > 0.5 {
		t.Errorf("the ring was full, which is another test's: %v", f)
	}
	c.Kill()
}

func TestVerdict_ProcessPaused_Stopped(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ring", "transfer"} {
		for _, who := range []string{"producer", "consumer"} {
			t.Run(mode+", "+who, func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				p := testenv.Start(t, "producer", often(name, "--mode", mode, "--rate", "500")...)
				c := testenv.Start(t, "consumer", often(name)...)
				testenv.EventuallyConsumed(t, name, 100)
				stopped, other := p, c
				if who == "consumer" {
					stopped, other = c, p
				}
				pausing := time.Now()
				stopped.Pause()
				paused := time.Now()
				pid := stopped.Cmd.Process.Pid
				reportSays(t, other, "stopped", fmt.Sprintf("the %s (pid %d) is stopped (SIGSTOP or Ctrl-Z)", who, pid), fmt.Sprintf("kill -CONT %d", pid))
				if out := testenv.GaugeOutput(t, "stat", "--name", name); !strings.Contains(out, fmt.Sprintf("%-10s pid %d, stopped;", who, pid)) || !strings.Contains(out, "verdict    stopped") {
					t.Errorf("gauge stat:\n%s", out)
				}
				if out := testenv.GaugeOutput(t, "ls"); !strings.Contains(out, fmt.Sprintf("pid %d, stopped", pid)) {
					t.Errorf("gauge ls:\n%s", out)
				}
				if d := doctorOnPairs(t); !strings.Contains(d.Text, fmt.Sprintf("%s: the %s (pid %d) is stopped", name, who, pid)) || !strings.Contains(d.Fix, fmt.Sprintf("kill -CONT %d", pid)) {
					t.Errorf("gauge doctor: %+v", d)
				}
				least := time.Since(paused)
				stopped.Continue()
				most := time.Since(pausing)
				testenv.EventuallyConsumed(t, name, 500)
				p.Signal(unix.SIGINT)
				p.WantExit(0)
				c.WantExit(0)
				for _, side := range []*testenv.Process{p, c} {
					f := side.Final()
					min, max := stoppedFor(fmt.Sprint(f["verdictWhy"]), who)
					if min > most || max < least || who == "consumer" && f["verdict"] == "producer-bound" {
						t.Errorf("%v at the end: %v: %v; %v", side.Cmd.Args, f["verdict"], f["verdictWhy"], f["verdictAdvice"])
					}
				}
			})
		}
	}
}

var stopTime = regexp.MustCompile(`^(?:up to |(\S+) to )?(\S+) of `)

// stoppedFor returns how long a side was stopped, as a final report says it; 0 = it does not.
func stoppedFor(why, who string) (min, max time.Duration) {
	_, said, _ := strings.Cut(why, "the "+who+" was stopped (SIGSTOP or Ctrl-Z) for ")
	if m := stopTime.FindStringSubmatch(said); m != nil {
		min, _ = time.ParseDuration(m[1])
		max, _ = time.ParseDuration(m[2])
	}
	return min, max + max/100 // they are rounded
}

func TestVerdict_LimitReached_ConsumerBound(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", often(name, "--work", "5ms")...) // the first, so that it is there for most of the time
	p := testenv.Start(t, "producer", often(name, "--mode", "transfer", "--limit", "1MiB", "--rate", "2000")...)
	reportSays(t, c, "consumer-bound", "the limit of 1 MiB was reached and the producer could send no more")
	p.WantExit(5)
	c.WantExit(7)
	finalSays(t, p, "consumer-bound", "the limit of 1 MiB was reached")
	p.WantHint(5, "allow more (--limit)", "") // its error says what to do
	finalSays(t, c, "consumer-bound", "the limit of 1 MiB was reached", "--limit")
	if f := p.Final(); f["refuseReason"] != "memory limit" {
		t.Errorf("refused by %v", f["refuseReason"])
	}
}

// At a limit at which the producer waits, or drops messages, nothing ends.
func TestVerdict_BlockAndDropAtLimit_ConsumerBound(t *testing.T) {
	t.Parallel()
	for policy, words := range map[string][2]string{
		"block": {"at this rate the producer has to wait in about", "blocked: producer"},
		"drop":  {"at this rate messages are dropped in about", "dropped because the limit of 8 MiB was reached"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", often(name, "--mode", "transfer", "--limit", "8MiB", "--on-limit", policy, "--rate", "1000")...)
			c := testenv.Start(t, "consumer", often(name, "--work", "5ms")...)
			for _, side := range []*testenv.Process{p, c} {
				reportSays(t, side, "consumer-bound", words[0], "speed up the consumer")
				reportSays(t, side, "consumer-bound", words[1], "speed up the consumer")
			}
			if out := testenv.GaugeOutput(t, "stat", "--name", name); !strings.Contains(out, map[string]string{"block": "the producer waits until no more than 4 MiB are in flight", "drop": "messages are dropped"}[policy]) {
				t.Errorf("gauge stat:\n%s", out)
			}
			c.Kill()
			p.Kill()
			for _, side := range []*testenv.Process{p, c} {
				if said := side.Stderr.String(); strings.Contains(said, `"verdict":"growing"`) || strings.Contains(said, "exit code 5") || strings.Contains(said, "is reached in") || strings.Contains(said, `"limitReached":true`) {
					t.Errorf("%v:\n%s", side.Cmd.Args, said)
				}
			}
		})
	}
}

func TestVerdict_LimitReached_NoConsumer(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", often(name, "--mode", "transfer", "--limit", "256KiB")...)
	reportSays(t, p, "no-consumer", "the limit of 256 KiB is reached: the producer can send no more", "start a consumer")
	p.Kill()
	if out := testenv.GaugeOutput(t, "stat", "--name", name); !strings.Contains(out, "verdict    no-producer") || !regexp.MustCompile(`messages were lost with the producer`).MatchString(out) {
		t.Errorf("after the death of the producer:\n%s", out)
	}
}

// diagnosis is a line of gauge doctor --json.
type diagnosis struct{ Name, State, Text, Fix string }

// doctorOnPairs returns what gauge doctor finds about the pairs that there are. Its exit
// code depends on everything else, too.
func doctorOnPairs(t *testing.T) (pairs diagnosis) {
	t.Helper()
	g := testenv.Start(t, "gauge", "doctor", "--json")
	g.Wait()
	for line := range strings.Lines(g.Stdout.String()) {
		var d diagnosis
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if d.Name == "pairs" {
			pairs = d
		}
	}
	return pairs
}

// Two sides of one user meet where the consumer listens. Where others may write to the
// segment, its word is not taken for that.
func TestVerdict_DifferentSockets_Unconnected(t *testing.T) {
	t.Parallel()
	name, here, there := testenv.SegmentName(t), testenv.PrivateDir(t)+"/s", testenv.PrivateDir(t)+"/s"
	shared := []string{"--group", strconv.Itoa(os.Getgid()), "--socket"}
	p := testenv.Start(t, "producer", append(often(name, "--mode", "transfer", "--rate", "100"), append(shared, here)...)...)
	testenv.EventuallyHeader(t, name, "a message", func(h *layout.Header) bool { return h.Count(layout.Producer) > 0 })
	c := testenv.Start(t, "consumer", append(often(name), append(shared, there)...)...)
	paths := "the producer connects to " + here + ", the consumer listens at " + there
	for _, side := range []*testenv.Process{p, c} {
		reportSays(t, side, "unconnected", "both sides are alive, but use different sockets: "+paths, "the same --socket")
	}
	d := doctorOnPairs(t)
	// The producer exits after two seconds, perhaps before doctor has read the segment.
	if h := testenv.Header(name); h != nil && layout.State(h.ProducerStats.State.Load()) != layout.StateClosed {
		if d.State != "problem" || !strings.Contains(d.Text, name+": both sides are alive") || !strings.Contains(d.Text, paths) || !strings.Contains(d.Fix, "--socket") {
			t.Errorf("gauge doctor: %+v", d)
		}
	}
	p.WantExit(1)
	finalSays(t, p, "unconnected", paths)
	c.Cmd.Process.Signal(unix.SIGINT) // unless it has ended by itself, as the producer has failed
	c.Wait()
	finalSays(t, c, "unconnected", paths)
}

func TestVerdict_Drops_ConsumerBound(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", often(name, "--slots", "8", "--on-full", "drop", "--rate", "1000")...)
	c := testenv.Start(t, "consumer", often(name, "--work", "5ms")...)
	for _, side := range []*testenv.Process{p, c} {
		reportSays(t, side, "consumer-bound", "dropped because the ring was full")
	}
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
	for _, side := range []*testenv.Process{p, c} {
		finalSays(t, side, "consumer-bound", "dropped because the ring was full")
	}
}

// What a report says of the room that a pause needed is true: with that room, the same
// pause is no wait.
func TestVerdict_RoomForPause_Suffices(t *testing.T) {
	t.Parallel()
	pause := func(slots int) (p *testenv.Process) {
		name := testenv.SegmentName(t)
		p = testenv.Start(t, "producer", often(name, "--slots", strconv.Itoa(slots), "--rate", "500")...)
		c := testenv.Start(t, "consumer", often(name)...)
		testenv.EventuallyConsumed(t, name, 500)
		c.Pause()
		time.Sleep(time.Second)
		c.Continue()
		testenv.EventuallyConsumed(t, name, 500)
		p.Signal(unix.SIGINT)
		p.WantExit(0)
		c.WantExit(0)
		return p
	}
	tight := pause(8)
	finalSays(t, tight, "consumer-bound", "the consumer was stopped (SIGSTOP or Ctrl-Z)", "more messages would have been sent")
	said := regexp.MustCompile(`about ([0-9,]+) more messages`).FindStringSubmatch(fmt.Sprint(tight.Final()["verdictWhy"]))
	if said == nil {
		t.FailNow()
	}
	n, err := strconv.Atoi(strings.ReplaceAll(said[1], ",", ""))
	if err != nil || n < 200 || n > 5000 {
		t.Fatalf("%q: a pause of a second at 500 a second", said[0])
	}
	// Twice the room, for a machine on which a second takes longer the second time.
	if f := pause(8 + 2*n).Final(); f.Num("producerWaitSec") > tight.Final().Num("producerWaitSec")/4 {
		t.Errorf("%d slots, and the producer waited for %v s of what were %v", 8+2*n, f["producerWaitSec"], tight.Final()["producerWaitSec"])
	}
}
