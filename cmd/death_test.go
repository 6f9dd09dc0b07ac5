package cmd_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
)

// moved waits until the consumer took n more messages.
func moved(t *testing.T, name string, n uint64) {
	t.Helper()
	var from uint64
	if h := header(name); h != nil {
		from = h.Consumer.Count.Load()
	}
	eventually(t, name, fmt.Sprintf("%d more messages", n), func(h *layout.Header) bool { return h.Consumer.Count.Load() >= from+n })
}

func TestAKilledConsumerLosesNothing(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", "--name", name)
	for range 5 {
		c := start(t, "consumer", "--name", name, "--verify")
		moved(t, name, 100_000)
		c.kill()
	}
	c := start(t, "consumer", "--name", name, "--verify")
	moved(t, name, 100_000)
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
	gone(t, name)
}

func TestAKilledProducerLosesNothing(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--verify", "--format", "json")
	for range 5 {
		p := start(t, "producer", "--name", name, "--size", "100")
		moved(t, name, 100_000)
		p.kill()
		h := header(name)
		if n := h.Producer.Count.Load() - h.Consumer.Count.Load(); int64(n) < 0 || n > 1<<20/112 {
			t.Fatalf("%d messages in a ring of 1 MiB", n)
		}
	}
	start(t, "producer", "--name", name, "--count", "1000", "--size", "100").ends(0)
	c.ends(0)
	if f := c.final(); f["producedCount"] != f["consumedCount"] {
		t.Errorf("%v produced, %v consumed", f["producedCount"], f["consumedCount"])
	}
	gone(t, name)
}

func TestBothKilled(t *testing.T) {
	name := segmentName(t)
	p, c := start(t, "producer", "--name", name), start(t, "consumer", "--name", name, "--verify")
	moved(t, name, 100_000)
	c.kill()
	p.kill()
	c = start(t, "consumer", "--name", name, "--verify")
	start(t, "producer", "--name", name, "--count", "1000").ends(0)
	c.ends(0)
	gone(t, name)
}

func TestFreshDiscardsWhatADeadPairLeft(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "100").ends(0)
	start(t, "producer", "--name", name, "--fresh", "--capacity", "4KiB", "--count", "7").ends(0)
	c := start(t, "consumer", "--name", name, "--format", "json")
	c.ends(0)
	if f := c.final(); f.num("consumedCount") != 7 || f.num("capacityBytes") != 4096 {
		t.Errorf("consumedCount %v, capacityBytes %v", f["consumedCount"], f["capacityBytes"])
	}
}

// cpuTime is what a process has used so far.
func cpuTime(t *testing.T, p *proc) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
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
func TestASleepingSideUsesNoProcessor(t *testing.T) {
	const while = 3 * time.Second
	for _, side := range []struct{ name, role, state string }{
		{"a producer without consumer", "producer", "alone"},
		{"a consumer without messages", "consumer", "blocked"},
	} {
		t.Run(side.name, func(t *testing.T) {
			name := segmentName(t)
			args := []string{"--name", name, "--format", "json", "--report", "100ms"}
			if side.role == "consumer" {
				start(t, "producer", "--name", name, "--rate", "0.001", "--report", "0")
			}
			p := start(t, side.role, args...)
			eventually(t, name, "sleep", func(h *layout.Header) bool {
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
				if all := p.reports(); all[len(all)-1]["verdict"] != "no-consumer" {
					t.Errorf("verdict %v", all[len(all)-1]["verdict"])
				}
			}
		})
	}
}

func TestASecondSignalLeavesAtOnce(t *testing.T) {
	name := segmentName(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	start(t, "producer", "--name", name, "--count", "1000", "--size", "1000").ends(0)
	// Nobody reads the pipe: the write of the output never comes back.
	c := startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-", "--framing", "raw"}, Stdout: w})
	eventually(t, name, "the consumer's start", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	within(t, "a full pipe", func() bool {
		full, _ := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		return full >= 60_000
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		c.cmd.Process.Signal(unix.SIGINT)
		select {
		case <-c.exited:
			c.ends(1)
			if said := c.stderr.String(); !strings.Contains(said, "left at once") || !strings.Contains(said, "what was not released is delivered to the next consumer") || strings.Contains(said, "ran for") {
				t.Errorf("it took the orderly way out:\n%s", said)
			}
			return
		default:
		}
	}
	t.Fatal("it still runs")
}
