package cmd_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// counts is an object of counts in a report.
func counts(t *testing.T, f figures, key string) figures {
	t.Helper()
	object, ok := f[key].(map[string]any)
	if !ok {
		t.Fatalf("%s is %v", key, f[key])
	}
	return object
}

// What an earlier run has done in the segment is not this one's.
func TestTheSummaryOfASecondRun(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--keep", "--slots", "64", "--on-full", "drop", "--count", "100").ends(0)
	c := start(t, "consumer", "--name", name, "--keep", "--format", "json")
	c.ends(0)
	if r := counts(t, c.final(), "run"); r.num("waitingCount") != 64 || r.num("producedCount") != 0 || r.num("consumedCount") != 64 || r.num("droppedCount") != 0 {
		t.Errorf("the first consumer: %v", r)
	}
	p := start(t, "producer", "--name", name, "--keep", "--count", "5")
	p.ends(0)
	for _, want := range []string{"produced   5 messages, 40 B\n", "consumed   0 messages", "69 produced and 64 consumed in this segment", "queue      5 messages", "at most 5 messages"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, p.stderr.String())
		}
	}
	if strings.Contains(p.stderr.String(), "dropped") {
		t.Errorf("this one has dropped nothing:\n%s", p.stderr.String())
	}
	p = start(t, "producer", "--name", name, "--keep", "--count", "7", "--format", "json")
	p.ends(0)
	f := p.final()
	if r := counts(t, f, "run"); r.num("waitingCount") != 5 || r.num("producedCount") != 7 || r.num("consumedCount") != 0 || r.num("droppedCount") != 0 || f.num("producedCount") != 76 || f.num("droppedCount") != 36 {
		t.Errorf("%v of %v", r, f)
	}
}

// A second producer has only its own to deliver, and does not know what becomes of what
// one that was killed had queued.
func TestTheSummaryOfASecondRunOfATransfer(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--follow", "--work", "100us", "--format", "json")
	first := start(t, "producer", "--mode", "transfer", "--name", name, "--rate", "20000")
	eventually(t, name, "more than a socket holds", func(h *layout.Header) bool { return h.Producer.Count.Load() > h.Consumer.Count.Load()+5000 })
	first.kill()
	p := start(t, "producer", "--mode", "transfer", "--name", name, "--count", "30", "--keep")
	p.ends(0)
	said := p.stderr.String()
	if m := regexp.MustCompile(`delivering what is queued, ([0-9,]+) messages`).FindStringSubmatch(said); m != nil {
		if n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", "")); err != nil || n > 30 {
			t.Errorf("it had 30:\n%s", said)
		}
	}
	if !strings.Contains(said, "produced   30 messages, 240 B; ") || !strings.Contains(said, "left by an earlier producer") || strings.Contains(said, "waited from before") {
		t.Errorf("%s", said)
	}
	p = start(t, "producer", "--mode", "transfer", "--name", name, "--count", "20", "--keep")
	p.ends(0)
	said = p.stderr.String()
	if !strings.Contains(said, "produced   20 messages, 160 B\n") || strings.Contains(said, "lost") || !strings.Contains(said, "at most 20 messages") {
		t.Errorf("%s", said)
	}
	c.signal(unix.SIGTERM)
	c.ends(0)
	f := c.final()
	r := counts(t, f, "run")
	if r.num("consumedCount") != f.num("consumedCount") || r.num("lostCount") != f.num("lostCount") || r.num("waitingCount")+r.num("producedCount") != f.num("producedCount") || f.num("lostCount") == 0 {
		t.Errorf("%v of %v", r, f)
	}
}

// ends are the streamEnd of the notes that a command has printed.
func (p *proc) streamEnds() (ends []any) {
	for line := range strings.Lines(p.stderr.String()) {
		var object map[string]any
		if json.Unmarshal([]byte(line), &object) == nil && object["note"] != nil && object["streamEnd"] != nil {
			ends = append(ends, object["streamEnd"])
		}
	}
	return ends
}

// How a stream has ended is a key, in every line that knows it: of the producer, of a
// consumer, of gauge, and of a consumer that goes on with the next one.
func TestHowAStreamEndedInJSON(t *testing.T) {
	long := writeFile(t, []byte("short\n"+strings.Repeat("x", 5000)+"\n"))
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
				name := segmentName(t)
				args := append([]string{"--mode", mode, "--name", name, "--keep", "--format", "json"}, c.args...)
				if c.end == "failed" {
					args = append(args, "--capacity", "4KiB")
				}
				run := func(consumer *proc) {
					p := start(t, "producer", args...)
					if c.stop {
						eventually(t, name, "messages", func(h *layout.Header) bool { return h.Producer.Count.Load() > 3 })
						if consumer != nil {
							moved(t, name, 1)
						}
						p.signal(unix.SIGTERM)
					}
					p.ends(c.code)
					if got := p.final()["streamEnd"]; got != c.end {
						t.Errorf("the producer says %v", got)
					}
				}
				follower := start(t, "consumer", "--name", name, "--follow", "--format", "json")
				run(follower)
				within(t, "its end", func() bool { return len(follower.streamEnds()) == 1 })
				follower.signal(unix.SIGTERM)
				follower.ends(0)
				if got := follower.streamEnds()[0]; got != c.end || follower.final()["streamEnd"] != c.end {
					t.Errorf("a consumer that follows says %v and %v", got, follower.final()["streamEnd"])
				}
				consumer := start(t, "consumer", "--name", name, "--format", "json")
				eventually(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 2 })
				run(consumer)
				consumer.ends(c.consumer)
				if got := consumer.final()["streamEnd"]; got != c.end {
					t.Errorf("a consumer says %v", got)
				}
				var seen figures
				if err := json.Unmarshal([]byte(says(t, "stat", "--json", name)), &seen); err != nil || seen["streamEnd"] != c.end || seen["run"] != nil {
					t.Errorf("gauge says %v", seen)
				}
			})
		}
	}
}

// A killed producer has not ended its stream.
func TestAKilledProducerHasNoEnd(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--format", "json", "--verify")
	p := start(t, "producer", "--name", name, "--rate", "1000")
	moved(t, name, 1)
	p.kill()
	c.signal(unix.SIGTERM)
	c.ends(0)
	f := c.final()
	if f["streamEnd"] != nil || counts(t, f, "producer")["alive"] != false || counts(t, f, "producer")["where"] != "died" {
		t.Errorf("%v", f)
	}
	if said := c.stderr.String(); !strings.Contains(said, `{"note":"verified `) || !strings.Contains(said, fmt.Sprintf(`"verifiedCount":%v}`, f["consumedCount"])) {
		t.Errorf("%s", said)
	}
}

// The producer notes the deepest queue only now and then.
func TestTheDeepestQueueOfEachLine(t *testing.T) {
	for _, mode := range []string{"ring", "transfer"} {
		name := segmentName(t)
		p := start(t, "producer", "--mode", mode, "--name", name, "--rate", "20000", "--report", "5ms", "--format", "json")
		eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > 2000 })
		c := start(t, "consumer", "--name", name, "--report", "5ms", "--format", "json")
		moved(t, name, 3000)
		p.signal(unix.SIGTERM)
		p.ends(0)
		c.ends(0)
		for _, side := range []*proc{p, c} {
			deepest := 0.0
			for _, f := range side.reports() {
				if f["queueDepth"] == nil {
					continue
				}
				if f.num("highWater") < f.num("queueDepth") || f.num("highWater") < deepest {
					t.Errorf("%s: %v after %v, with %v queued", mode, f["highWater"], deepest, f["queueDepth"])
				}
				deepest = f.num("highWater")
			}
		}
	}
}
