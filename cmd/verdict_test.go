package cmd_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// Words are results: each of these makes something happen, and reads what both sides
// and an observer say of it.

// says reports whether a report has that verdict, with all those words.
func (f figures) says(verdict string, words ...string) bool {
	text := fmt.Sprint(f["verdictWhy"], "; ", f["verdictAdvice"])
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return f["verdict"] == verdict
}

// reportSays waits for a report that has that verdict, with all those words.
func reportSays(t *testing.T, p *proc, verdict string, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, f := range p.reports() {
			if f.says(verdict, words...) {
				return
			}
		}
	}
	t.Fatalf("%v: no report says %s with %q; stderr:\n%s", p.cmd.Args, verdict, words, p.stderr.String())
}

// finalSays expects that of the last report.
func finalSays(t *testing.T, p *proc, verdict string, words ...string) {
	t.Helper()
	if f := p.final(); !f.says(verdict, words...) {
		t.Errorf("%v: the last report does not say %s with %q, but %v: %v; %v", p.cmd.Args, verdict, words, f["verdict"], f["verdictWhy"], f["verdictAdvice"])
	}
}

func often(name string, args ...string) []string {
	return append([]string{"--name", name, "--format", "json", "--report", "200ms"}, args...)
}

func TestARingThatFillsNamesTheSlowerSide(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", often(name, "--rate", "400")...)
	c := start(t, "consumer", often(name, "--work", "10ms")...)
	for _, side := range []*proc{p, c} {
		reportSays(t, side, "consumer-bound", "the ring is full in about", "speed up the consumer")
	}
	p.signal(unix.SIGINT)
	p.ends(0)
	finalSays(t, p, "consumer-bound", "the producer sends", "the consumer takes")
	if f := p.final(); f.num("producerWaits") != 0 || f.num("fill") > 0.5 {
		t.Errorf("the ring was full, which is another test's: %v", f)
	}
	c.kill()
}

func TestAStoppedProcessIsCalledStopped(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		for _, who := range []string{"producer", "consumer"} {
			t.Run(mode+", "+who, func(t *testing.T) {
				name := segmentName(t)
				p := start(t, "producer", often(name, "--mode", mode, "--rate", "500")...)
				c := start(t, "consumer", often(name)...)
				moved(t, name, 100)
				stopped, other := p, c
				if who == "consumer" {
					stopped, other = c, p
				}
				stopped.pause()
				pid := stopped.cmd.Process.Pid
				reportSays(t, other, "stopped", fmt.Sprintf("the %s (pid %d) is stopped (SIGSTOP or Ctrl-Z)", who, pid), fmt.Sprintf("kill -CONT %d", pid))
				if out := says(t, "stat", "--name", name); !strings.Contains(out, fmt.Sprintf("%-10s pid %d, stopped;", who, pid)) || !strings.Contains(out, "verdict    stopped") {
					t.Errorf("gauge stat:\n%s", out)
				}
				if out := says(t, "ls"); !strings.Contains(out, fmt.Sprintf("pid %d, stopped", pid)) {
					t.Errorf("gauge ls:\n%s", out)
				}
				if d := doctorSays(t, "pairs"); !strings.Contains(d.Says, fmt.Sprintf("%s: the %s (pid %d) is stopped", name, who, pid)) || !strings.Contains(d.Remedy, fmt.Sprintf("kill -CONT %d", pid)) {
					t.Errorf("gauge doctor: %+v", d)
				}
				stopped.signal(unix.SIGCONT)
				moved(t, name, 500)
				p.signal(unix.SIGINT)
				p.ends(0)
				c.ends(0)
				for _, side := range []*proc{p, c} {
					f := side.final()
					said := f.says(fmt.Sprint(f["verdict"]), fmt.Sprintf("the %s was stopped (SIGSTOP or Ctrl-Z) for about", who))
					if !said || who == "consumer" && f["verdict"] == "producer-bound" {
						t.Errorf("%v at the end: %v: %v; %v", side.cmd.Args, f["verdict"], f["verdictWhy"], f["verdictAdvice"])
					}
				}
			})
		}
	}
}

func TestALimitThatWasReachedIsNotEase(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", often(name, "--mode", "transfer", "--limit", "1MiB", "--rate", "2000")...)
	c := start(t, "consumer", often(name, "--work", "5ms")...)
	reportSays(t, c, "consumer-bound", "the limit of 1 MiB was reached and the producer could send no more")
	p.ends(5)
	c.ends(7)
	finalSays(t, p, "consumer-bound", "the limit of 1 MiB was reached")
	p.hints(5, "allow more (--limit)", "") // its error says what to do
	finalSays(t, c, "consumer-bound", "the limit of 1 MiB was reached", "--limit")
	if f := p.final(); f["refuseReason"] != "memory limit" {
		t.Errorf("refused by %v", f["refuseReason"])
	}
}

func TestALimitThatWasReachedWithoutAConsumer(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", often(name, "--mode", "transfer", "--limit", "256KiB")...)
	reportSays(t, p, "no-consumer", "the limit of 256 KiB is reached: the producer can send no more", "start a consumer")
	p.kill()
	if out := says(t, "stat", "--name", name); !strings.Contains(out, "verdict    no-producer") || !regexp.MustCompile(`messages were lost with the producer`).MatchString(out) {
		t.Errorf("after the death of the producer:\n%s", out)
	}
}

// doctorSays returns what gauge doctor finds. Its exit code depends on all the others.
func doctorSays(t *testing.T, name string) diagnosis {
	t.Helper()
	all, _ := examined(t, start(t, "gauge", "doctor", "--json"))
	return all[name]
}

// Two sides of one user meet where the consumer listens. Where others may write to the
// segment, its word is not taken for that.
func TestTwoSidesThatDoNotMeetAreTold(t *testing.T) {
	name, here, there := segmentName(t), ownDir(t)+"/s", ownDir(t)+"/s"
	shared := []string{"--group", strconv.Itoa(os.Getgid()), "--socket"}
	p := start(t, "producer", append(often(name, "--mode", "transfer", "--rate", "100"), append(shared, here)...)...)
	eventually(t, name, "a message", func(h *layout.Header) bool { return h.Producer.Count.Load() > 0 })
	c := start(t, "consumer", append(often(name), append(shared, there)...)...)
	paths := "the producer connects to " + here + ", the consumer listens at " + there
	for _, side := range []*proc{p, c} {
		reportSays(t, side, "unconnected", "both sides live and look for each other in different places: "+paths, "the same --socket")
	}
	d := doctorSays(t, "pairs")
	select {
	case <-p.exited: // it gives up after two seconds, perhaps before doctor looked
	default:
		if d.State != "problem" || !strings.Contains(d.Says, name+": both sides live") || !strings.Contains(d.Says, paths) || !strings.Contains(d.Remedy, "--socket") {
			t.Errorf("gauge doctor: %+v", d)
		}
	}
	p.ends(1)
	finalSays(t, p, "unconnected", paths)
	c.signal(unix.SIGINT)
	c.wait()
	finalSays(t, c, "unconnected", paths)
}

func TestDropsAreNotEase(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", often(name, "--slots", "8", "--on-full", "drop", "--rate", "1000")...)
	c := start(t, "consumer", often(name, "--work", "5ms")...)
	for _, side := range []*proc{p, c} {
		reportSays(t, side, "consumer-bound", "dropped because the ring was full")
	}
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
	for _, side := range []*proc{p, c} {
		finalSays(t, side, "consumer-bound", "dropped because the ring was full")
	}
}

// What a report says of the room that a pause needed is true: with that room, the same
// pause is no wait.
func TestTheRoomThatAPauseNeeded(t *testing.T) {
	pause := func(slots int) (p *proc) {
		name := segmentName(t)
		p = start(t, "producer", often(name, "--slots", strconv.Itoa(slots), "--rate", "500")...)
		c := start(t, "consumer", often(name)...)
		moved(t, name, 1500)
		c.pause()
		time.Sleep(time.Second)
		c.signal(unix.SIGCONT)
		moved(t, name, 1000)
		p.signal(unix.SIGINT)
		p.ends(0)
		c.ends(0)
		return p
	}
	tight := pause(8)
	finalSays(t, tight, "consumer-bound", "the consumer was stopped (SIGSTOP or Ctrl-Z)", "more messages would have gone in")
	said := regexp.MustCompile(`about ([0-9,]+) more messages`).FindStringSubmatch(fmt.Sprint(tight.final()["verdictWhy"]))
	if said == nil {
		t.FailNow()
	}
	n, err := strconv.Atoi(strings.ReplaceAll(said[1], ",", ""))
	if err != nil || n < 200 || n > 5000 {
		t.Fatalf("%q: a pause of a second at 500 a second", said[0])
	}
	// Twice the room, for a machine on which a second takes longer the second time.
	if f := pause(8 + 2*n).final(); f.num("producerWaitSec") > tight.final().num("producerWaitSec")/4 {
		t.Errorf("%d slots, and the producer waited for %v s of what were %v", 8+2*n, f["producerWaitSec"], tight.final()["producerWaitSec"])
	}
}
