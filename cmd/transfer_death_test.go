package cmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

func TestAKilledConsumerFindsTheTransferWhereItWas(t *testing.T) {
	for _, args := range [][]string{nil, {"--recycle"}, {"--buffer", "4KiB"}, {"--buffer", "4KiB", "--recycle"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			name := segmentName(t)
			p := start(t, "producer", transferring(name, append(args, "--limit", "256MiB", "--rate", "20000")...)...)
			for range 4 {
				c := start(t, "consumer", "--name", name, "--verify")
				moved(t, name, 5_000)
				c.kill()
			}
			c := start(t, "consumer", "--name", name, "--verify")
			moved(t, name, 5_000)
			p.signal(unix.SIGINT)
			p.ends(0)
			c.ends(0)
			if f := p.final(); f.num("lostCount") != 0 || f["producedCount"] != f["consumedCount"] {
				t.Errorf("%v lost, %v produced, %v consumed", f["lostCount"], f["producedCount"], f["consumedCount"])
			}
			gone(t, name)
		})
	}
}

func TestAConsumerThatStopsEarlyLeavesTheRestToTheNext(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", transferring(name, "--count", "10000")...)
	for range 3 {
		start(t, "consumer", "--name", name, "--verify", "--count", "777").ends(0)
	}
	c := start(t, "consumer", "--name", name, "--verify", "--format", "json")
	p.ends(0)
	c.ends(0)
	if f := c.final(); f.num("consumedCount") != 10000 || f.num("lostCount") != 0 {
		t.Errorf("%v consumed, %v lost", f["consumedCount"], f["lostCount"])
	}
}

// The producer has made everything, and waits until it is released: the end must not
// overtake what the successor of a consumer has still to be given.
func TestWhoeverComesBackWhileTheProducerEndsMissesNothing(t *testing.T) {
	const total = 2000
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{nil, {"--recycle"}, {"--buffer", "4KiB"}, {"--buffer", "4KiB", "--recycle"}, {"--limit", "16MiB"}} {
		for how, leave := range map[string]func(t *testing.T, name string){
			"killed": func(t *testing.T, name string) {
				c := start(t, "consumer", "--name", name, "--work", "100us")
				released(t, name, 1)
				c.kill()
			},
			"stopped": func(t *testing.T, name string) {
				c := start(t, "consumer", "--name", name, "--work", "100us")
				released(t, name, 1)
				c.signal(unix.SIGTERM)
				c.ends(0)
			},
			"count": func(t *testing.T, name string) {
				start(t, "consumer", "--name", name, "--count", "777").ends(0)
			},
			"full disk": func(t *testing.T, name string) {
				startWith(t, "consumer", run{Args: []string{"--name", name, "--output", "-"}, Stdout: full}).ends(1)
			},
		} {
			t.Run(how+" "+strings.Join(args, " "), func(t *testing.T) {
				name := segmentName(t)
				p := start(t, "producer", transferring(name, append(args, "--count", fmt.Sprint(total))...)...)
				eventually(t, name, "an end", func(h *layout.Header) bool { return h.Producer.Count.Load() == total })
				leave(t, name)
				c := start(t, "consumer", "--name", name, "--verify", "--format", "json")
				c.ends(0)
				p.ends(0)
				if f := c.final(); f.num("consumedCount") != total || f.num("lostCount") != 0 {
					t.Errorf("%v of %d consumed, %v lost", f["consumedCount"], total, f["lostCount"])
				}
				gone(t, name)
			})
		}
	}
}

// released waits until the consumer has released n messages.
func released(t *testing.T, name string, n uint64) {
	t.Helper()
	eventually(t, name, "a release", func(h *layout.Header) bool { return h.Consumer.Count.Load() >= n })
}

// Its queue was in its own memory. What is missing is counted, and so no fault for
// --verify; the stream is not complete all the same.
func TestWhatAKilledProducerHadQueuedIsCountedAsLost(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--verify", "--work", "1ms", "--format", "json")
	p := start(t, "producer", transferring(name, "--limit", "64MiB")...)
	eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > 3000 })
	p.kill()
	start(t, "producer", transferring(name, "--count", "10")...).ends(0)
	c.ends(7)
	f := c.final()
	if f.num("lostCount") <= 0 || f.num("consumedCount")+f.num("lostCount") != f.num("producedCount") || f.num("queueDepth") != 0 {
		t.Errorf("%v produced, %v consumed, %v lost, depth %v", f["producedCount"], f["consumedCount"], f["lostCount"], f["queueDepth"])
	}
	gone(t, name)
}

func TestAStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	name, socket := segmentName(t), filepath.Join(ownDir(t), "s")
	p := start(t, "producer", transferring(name, "--socket", socket)...)
	c := start(t, "consumer", "--name", name, "--socket", socket)
	moved(t, name, 100)
	other := segmentName(t)
	p2 := start(t, "producer", transferring(other, "--rate", "10", "--socket", filepath.Join(ownDir(t), "x"))...)
	start(t, "consumer", "--name", other, "--socket", socket).refuses(4, other, "somebody listens at "+socket)
	c.kill()
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("a killed consumer leaves its socket: %v", err)
	}
	c = start(t, "consumer", "--name", name, "--socket", socket)
	moved(t, name, 100)
	if info, err := os.Lstat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there")
	}
	p2.kill()
}

// limited starts a command with at most so many descriptors.
func limited(t *testing.T, files int, attr *syscall.SysProcAttr, name string, args ...string) *proc {
	t.Helper()
	sh := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, files), filepath.Join(bin, name))
	sh.Args = append(sh.Args, args...)
	p, err := startCommand(t, sh, run{Attr: attr})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestATransferWithFewDescriptors(t *testing.T) {
	for _, files := range []int{40, 64, 90} {
		for _, args := range [][]string{nil, {"--recycle"}} {
			name := segmentName(t)
			p := limited(t, files, nil, "producer", transferring(name, append(args, "--count", "3000")...)...)
			eventually(t, name, "3000 queued messages", func(h *layout.Header) bool { return h.Producer.Count.Load() == 3000 })
			c := limited(t, 100, nil, "consumer", "--name", name, "--verify")
			p.ends(0)
			c.ends(0)
			if f := p.final(); f.num("refusedCount") == 0 || f.num("fdsMax") != float64(files-24) || f.num("consumedCount") != 3000 {
				t.Errorf("%d descriptors, %v: refusedCount %v, fdsMax %v, consumed %v", files, args, f["refusedCount"], f["fdsMax"], f["consumedCount"])
			}
		}
	}
}

func TestAConsumerWithoutDescriptorsSaysSo(t *testing.T) {
	name := segmentName(t)
	p := start(t, "producer", transferring(name, "--count", "3000")...)
	eventually(t, name, "3000 queued messages", func(h *layout.Header) bool { return h.Producer.Count.Load() == 3000 })
	limited(t, 30, nil, "consumer", "--name", name).refuses(1, name, "out of descriptors", "ulimit -n")
	c := start(t, "consumer", "--name", name, "--verify")
	p.ends(0)
	c.ends(0)
	if f := p.final(); f.num("consumedCount") != 3000 {
		t.Errorf("%v consumed", f["consumedCount"])
	}
}

// nobody is who a command runs as that is not to be root.
var nobody = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}

// The kernel counts descriptors in flight for each user, and lets those with
// CAP_SYS_RESOURCE pass.
func TestDescriptorsInFlightHaveALimit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start commands as somebody else")
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		os.Chmod(at, 0o755)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	// Each producer may have 210 descriptors, and so has the user in flight.
	var producers, consumers []*proc
	inFlight := "too many descriptors in flight"
	for i := range 4 {
		name, socket := segmentName(t), filepath.Join(dir, fmt.Sprint(i))
		c := limited(t, 1000, nobody, "consumer", "--name", name, "--socket", socket, "--verify")
		p := limited(t, 240, nobody, "producer", transferring(name, "--socket", socket, "--rate", "500", "--report", "50ms")...)
		moved(t, name, 1)
		producers, consumers = append(producers, p), append(consumers, c)
	}
	for _, c := range consumers { // not before all have begun: the first ones would leave the last nothing
		c.pause()
	}
	seen := func() bool {
		for _, p := range producers {
			for _, f := range p.reports() {
				if f["refuseReason"] == inFlight {
					return true
				}
			}
		}
		return false
	}
	within(t, inFlight, seen)
	for _, c := range consumers {
		c.signal(unix.SIGCONT)
	}
	for i, p := range producers {
		p.signal(unix.SIGINT)
		p.ends(0)
		consumers[i].ends(0)
	}
}

func TestATransferLeavesNoDescriptors(t *testing.T) {
	for _, args := range [][]string{nil, {"--recycle"}} {
		name := segmentName(t)
		c := start(t, "consumer", "--name", name, "--follow")
		eventuallyHas := func(p *proc, most int) {
			t.Helper()
			within(t, fmt.Sprintf("%v with at most %d descriptors", p.cmd.Args, most), func() bool { return descriptors(t, p) <= most })
		}
		p := start(t, "producer", transferring(name, append(args, "--rate", "20000", "--burst", "500")...)...)
		moved(t, name, 20_000)
		p.pause() // in the middle of it
		eventuallyHas(c, 12)
		p.signal(unix.SIGCONT)
		p.signal(unix.SIGINT)
		p.ends(0)
		c.signal(unix.SIGINT)
		c.ends(0)
	}
}

func descriptors(t *testing.T, p *proc) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Wherever the two are when the memory goes, a lock held or none.
func TestATransferWhoseSegmentIsTruncatedEndsInGoodOrder(t *testing.T) {
	for _, flags := range [][]string{nil, {"--recycle"}, {"--buffer", "4KiB"}} {
		for range 4 {
			name := segmentName(t)
			c := start(t, "consumer", "--name", name, "--follow")
			p := start(t, "producer", append(transferring(name, "--rate", "2000"), flags...)...)
			moved(t, name, 50)
			if err := os.Truncate(shm.Path(name), 0); err != nil {
				t.Fatal(err)
			}
			for _, side := range []*proc{p, c} {
				side.ends(6)
				if said := side.stderr.String(); strings.Contains(said, "goroutine ") || !strings.Contains(said, "somebody shortened the file") {
					t.Errorf("%v %v: %s", side.cmd.Args[0], flags, said)
				}
			}
		}
	}
}

// Usually the next producer's hello tells what went with the last one.
func TestWhatDiedWithItsProducerIsCountedWhenNobodyComesAfter(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--follow", "--rate", "1000", "--format", "json")
	p := start(t, "producer", transferring(name, "--rate", "10000")...)
	eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > h.Consumer.Count.Load()+2000 })
	p.kill()
	c.signal(unix.SIGTERM)
	c.ends(0)
	f := c.final()
	if produced, consumed, lost := f.num("producedCount"), f.num("consumedCount"), f.num("lostCount"); lost < 1000 || produced != consumed+lost || f.num("queueDepth") != 0 {
		t.Errorf("%v produced, %v consumed, %v lost, %v queued", produced, consumed, lost, f["queueDepth"])
	}
	gone(t, name)
}

// It is known before the next producer comes, and before the consumer ends.
func TestWhatDiedWithItsProducerIsCountedWhileTheConsumerSleeps(t *testing.T) {
	name := segmentName(t)
	c := start(t, "consumer", "--name", name, "--follow", "--work", "100us", "--format", "json")
	p := start(t, "producer", transferring(name, "--rate", "50000")...)
	eventually(t, name, "a queue", func(h *layout.Header) bool { return h.Producer.Count.Load() > h.Consumer.Count.Load()+6000 })
	p.kill()
	eventually(t, name, "a count of what is lost", func(h *layout.Header) bool {
		side := &h.ConsumerStats
		return side.Lost.Load() > 0 && side.Consumed.Load()+side.Lost.Load() == h.Producer.Count.Load()
	})
	var seen figures
	if err := json.Unmarshal([]byte(says(t, "stat", "--name", name, "--json")), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.num("lostCount") < 1000 || seen.num("queueDepth") != 0 || seen.num("fdsInFlight") != 0 {
		t.Errorf("%v lost, %v queued, %v descriptors", seen["lostCount"], seen["queueDepth"], seen["fdsInFlight"])
	}
	c.signal(unix.SIGTERM)
	c.ends(0)
	gone(t, name)
}

// What the socket holds of a dead producer nobody can send again: it goes with the consumer
// that is stopped, unless that is to drain.
func TestAConsumerThatIsStoppedSaysThatItLeftWhatADeadProducerHadSent(t *testing.T) {
	for _, drain := range []string{"", "10ms", "1h"} {
		name := segmentName(t)
		args := []string{"--name", name, "--verify", "--work"}
		switch drain {
		case "":
			args = append(args, "20ms")
		case "10ms":
			args = append(args, "20ms", "--drain", drain)
		default:
			args = append(args, "100us", "--drain", drain)
		}
		c := start(t, "consumer", args...)
		p := start(t, "producer", transferring(name, "--rate", "50000")...)
		eventually(t, name, "a queue", func(h *layout.Header) bool {
			return h.Consumer.Count.Load() > 0 && h.Producer.Count.Load() > h.Consumer.Count.Load()+5000
		})
		p.kill()
		c.signal(unix.SIGTERM)
		switch drain {
		case "":
			c.hints(7, "this consumer ended before it had taken what a producer that died has left; |messages were lost|to take first what such a producer has left: --drain TIME", "start both sides")
		case "10ms":
			c.hints(7, "this consumer ended before|allow more than 10ms", "start both sides")
		default: // and not for an hour: what was never handed over does not come
			c.hints(7, "messages were lost with a producer that died|start both sides again", "--drain")
		}
		gone(t, name)
	}
}
