package cmd_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

func TestTransfer_ConsumerKilled_LosesNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--recycle"}, {"--buffer", "4KiB"}, {"--buffer", "4KiB", "--recycle"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(args, "--limit", "256MiB", "--rate", "20000")...)...)
			for range 4 {
				c := testenv.Start(t, "consumer", "--name", name, "--verify")
				testenv.EventuallyConsumed(t, name, 5_000)
				c.Kill()
			}
			c := testenv.Start(t, "consumer", "--name", name, "--verify")
			testenv.EventuallyConsumed(t, name, 5_000)
			p.Signal(unix.SIGINT)
			p.WantExit(0)
			c.WantExit(0)
			if f := p.Final(); f.Num("lostCount") != 0 || f["producedCount"] != f["consumedCount"] {
				t.Errorf("%v lost, %v produced, %v consumed", f["lostCount"], f["producedCount"], f["consumedCount"])
			}
			testenv.WantNoSegment(t, name)
		})
	}
}

func TestTransfer_ConsumerStopsEarly_NextGetsRest(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "10000")...)
	for range 3 {
		testenv.Start(t, "consumer", "--name", name, "--verify", "--count", "777").WantExit(0)
	}
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--format", "json")
	p.WantExit(0)
	c.WantExit(0)
	if f := c.Final(); f.Num("consumedCount") != 10000 || f.Num("lostCount") != 0 {
		t.Errorf("%v consumed, %v lost", f["consumedCount"], f["lostCount"])
	}
}

// The producer has made everything, and waits until it is released: the end must not
// overtake what the successor of a consumer has still to be given.
func TestTransfer_ConsumerBackAtEnd_MissesNothing(t *testing.T) {
	t.Parallel()
	const total = 2000
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{nil, {"--recycle"}, {"--buffer", "4KiB"}, {"--buffer", "4KiB", "--recycle"}, {"--limit", "16MiB"}} {
		for how, leave := range map[string]func(t *testing.T, name string){
			"killed": func(t *testing.T, name string) {
				c := testenv.Start(t, "consumer", "--name", name, "--work", "100us")
				released(t, name, 1)
				c.Kill()
			},
			"stopped": func(t *testing.T, name string) {
				c := testenv.Start(t, "consumer", "--name", name, "--work", "100us")
				released(t, name, 1)
				c.Signal(unix.SIGTERM)
				c.WantExit(0)
			},
			"count": func(t *testing.T, name string) {
				testenv.Start(t, "consumer", "--name", name, "--count", "777").WantExit(0)
			},
			"full disk": func(t *testing.T, name string) {
				testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name, "--output", "-"}, Stdout: full}).WantExit(1)
			},
		} {
			t.Run(how+" "+strings.Join(args, " "), func(t *testing.T) {
				name := testenv.SegmentName(t)
				p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(args, "--count", fmt.Sprint(total))...)...)
				testenv.EventuallyHeader(t, name, "an end", func(h *layout.Header) bool { return h.Count(layout.Producer) == total })
				leave(t, name)
				c := testenv.Start(t, "consumer", "--name", name, "--verify", "--format", "json")
				c.WantExit(0)
				p.WantExit(0)
				if f := c.Final(); f.Num("consumedCount") != total || f.Num("lostCount") != 0 {
					t.Errorf("%v of %d consumed, %v lost", f["consumedCount"], total, f["lostCount"])
				}
				testenv.WantNoSegment(t, name)
			})
		}
	}
}

// released waits until the consumer has released n messages.
func released(t *testing.T, name string, n uint64) {
	t.Helper()
	testenv.EventuallyHeader(t, name, "a release", func(h *layout.Header) bool { return h.Count(layout.Consumer) >= n })
}

// Its queue was in its own memory. What is missing is counted, and so no fault for
// --verify; the stream is not complete all the same.
func TestTransfer_ProducerKilled_QueueCountedLost(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--work", "1ms", "--format", "json")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--limit", "64MiB")...)
	testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > 3000 })
	p.Kill()
	testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "10")...).WantExit(0)
	c.WantExit(7)
	f := c.Final()
	if f.Num("lostCount") <= 0 || f.Num("consumedCount")+f.Num("lostCount") != f.Num("producedCount") || f.Num("queueDepth") != 0 {
		t.Errorf("%v produced, %v consumed, %v lost, depth %v", f["producedCount"], f["consumedCount"], f["lostCount"], f["queueDepth"])
	}
	testenv.WantNoSegment(t, name)
}

func TestTransfer_Socket_StaleReplacedLiveKept(t *testing.T) {
	t.Parallel()
	name, socket := testenv.SegmentName(t), filepath.Join(testenv.PrivateDir(t), "s")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--socket", socket)...)
	c := testenv.Start(t, "consumer", "--name", name, "--socket", socket)
	testenv.EventuallyConsumed(t, name, 100)
	other := testenv.SegmentName(t)
	p2 := testenv.Start(t, "producer", testenv.TransferArgs(other, "--rate", "10", "--socket", filepath.Join(testenv.PrivateDir(t), "x"))...)
	testenv.Start(t, "consumer", "--name", other, "--socket", socket).WantError(4, other, "a process listens at "+socket)
	c.Kill()
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("a killed consumer leaves its socket: %v", err)
	}
	c = testenv.Start(t, "consumer", "--name", name, "--socket", socket)
	testenv.EventuallyConsumed(t, name, 100)
	if info, err := os.Lstat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there")
	}
	p2.Kill()
}

func TestTransfer_FewDescriptors_AllDelivered(t *testing.T) {
	t.Parallel()
	for _, files := range []int{40, 64, 90} {
		for _, args := range [][]string{nil, {"--recycle"}} {
			name := testenv.SegmentName(t)
			p := testenv.StartWithDescriptors(t, files, nil, "producer", testenv.TransferArgs(name, append(args, "--count", "3000")...)...)
			testenv.EventuallyHeader(t, name, "3000 queued messages", func(h *layout.Header) bool { return h.Count(layout.Producer) == 3000 })
			c := testenv.StartWithDescriptors(t, 100, nil, "consumer", "--name", name, "--verify")
			p.WantExit(0)
			c.WantExit(0)
			if f := p.Final(); f.Num("refusedCount") == 0 || f.Num("fdsMax") != float64(files-24) || f.Num("consumedCount") != 3000 {
				t.Errorf("%d descriptors, %v: refusedCount %v, fdsMax %v, consumed %v", files, args, f["refusedCount"], f["fdsMax"], f["consumedCount"])
			}
		}
	}
}

func TestTransfer_ConsumerOutOfDescriptors_Exit1(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "3000")...)
	testenv.EventuallyHeader(t, name, "3000 queued messages", func(h *layout.Header) bool { return h.Count(layout.Producer) == 3000 })
	testenv.StartWithDescriptors(t, 30, nil, "consumer", "--name", name).WantError(1, name, "out of descriptors", "ulimit -n")
	c := testenv.Start(t, "consumer", "--name", name, "--verify")
	p.WantExit(0)
	c.WantExit(0)
	if f := p.Final(); f.Num("consumedCount") != 3000 {
		t.Errorf("%v consumed", f["consumedCount"])
	}
}

// The kernel counts descriptors in flight for each user, and lets those with
// CAP_SYS_RESOURCE pass.
func TestTransfer_DescriptorsInFlight_Limit(t *testing.T) {
	t.Parallel()
	testenv.RequireRoot(t)
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		os.Chmod(at, 0o755)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	// Each producer may have 210 descriptors, and so has the user in flight.
	var producers, consumers []*testenv.Process
	inFlight := "too many descriptors in flight"
	for i := range 4 {
		name, socket := testenv.SegmentName(t), filepath.Join(dir, fmt.Sprint(i))
		c := testenv.StartWithDescriptors(t, 1000, testenv.AsUser(t, testenv.Nobody), "consumer", "--name", name, "--socket", socket, "--verify")
		p := testenv.StartWithDescriptors(t, 240, testenv.AsUser(t, testenv.Nobody), "producer", testenv.TransferArgs(name, "--socket", socket, "--rate", "500", "--report", "50ms")...)
		testenv.EventuallyConsumed(t, name, 1)
		producers, consumers = append(producers, p), append(consumers, c)
	}
	for _, c := range consumers { // not before all have begun: the first ones would leave the last nothing
		c.Pause()
	}
	seen := func() bool {
		for _, p := range producers {
			for _, f := range p.Reports() {
				if f["refuseReason"] == inFlight {
					return true
				}
			}
		}
		return false
	}
	testenv.Eventually(t, inFlight, seen)
	for _, c := range consumers {
		c.Continue()
	}
	for i, p := range producers {
		p.Signal(unix.SIGINT)
		p.WantExit(0)
		consumers[i].WantExit(0)
	}
}

func TestTransfer_LeavesNoDescriptors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--recycle"}} {
		name := testenv.SegmentName(t)
		c := testenv.Start(t, "consumer", "--name", name, "--follow")
		p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(args, "--rate", "20000", "--burst", "500")...)...)
		testenv.EventuallyConsumed(t, name, 20_000)
		p.Pause() // in the middle of it
		// It listens, and has a connection.
		want := map[string]int{"segment": 1, "socket": 2}
		testenv.Eventually(t, fmt.Sprintf("%v with %v alone", c.Cmd.Args, want), func() bool { return maps.Equal(descriptors(t, c), want) })
		p.Continue()
		p.Signal(unix.SIGINT)
		p.WantExit(0)
		c.Signal(unix.SIGINT)
		c.WantExit(0)
	}
}

// descriptors counts what a process has open of the kinds that a transfer opens. There are others:
// those of the runtime, and what the process has inherited from whoever runs the tests.
func descriptors(t *testing.T, p *testenv.Process) map[string]int {
	t.Helper()
	files := func(pid int) (files []string) {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil || len(links) == 0 {
			t.Fatal(links, err)
		}
		for _, link := range links {
			file, _ := os.Readlink(link) // "" if it was closed meanwhile
			files = append(files, file)
		}
		return files
	}
	count, inherited := map[string]int{}, files(os.Getpid())
	for _, file := range files(p.Cmd.Process.Pid) {
		if slices.Contains(inherited, file) {
			continue
		}
		for kind, prefix := range map[string]string{
			"segment": shm.Dir + "/sluice.", "socket": "socket:", "buffer": "/memfd:sluice", "timer": "anon_inode:[timerfd]",
		} {
			if strings.HasPrefix(file, prefix) {
				count[kind]++
			}
		}
	}
	return count
}

// Wherever the two are when the memory goes, a lock held or none.
func TestTransfer_SegmentTruncated_BothExit6(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--recycle"}, {"--buffer", "4KiB"}} {
		for range 4 {
			name := testenv.SegmentName(t)
			c := testenv.Start(t, "consumer", "--name", name, "--follow")
			p := testenv.Start(t, "producer", append(testenv.TransferArgs(name, "--rate", "2000"), flags...)...)
			testenv.EventuallyConsumed(t, name, 50)
			if err := os.Truncate(shm.Path(name), 0); err != nil {
				t.Fatal(err)
			}
			for _, side := range []*testenv.Process{p, c} {
				side.WantExit(6)
				if said := side.Stderr.String(); strings.Contains(said, "goroutine ") || !strings.Contains(said, "another program truncated the file") {
					t.Errorf("%v %v: %s", side.Cmd.Args[0], flags, said)
				}
			}
		}
	}
}

// Usually the next producer's hello tells what went with the last one.
func TestTransfer_ProducerKilled_LossCountedAtStop(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--rate", "1000", "--format", "json")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "10000")...)
	testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > h.Count(layout.Consumer)+2000 })
	p.Kill()
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	f := c.Final()
	if produced, consumed, lost := f.Num("producedCount"), f.Num("consumedCount"), f.Num("lostCount"); lost < 1000 || produced != consumed+lost || f.Num("queueDepth") != 0 {
		t.Errorf("%v produced, %v consumed, %v lost, %v queued", produced, consumed, lost, f["queueDepth"])
	}
	testenv.WantNoSegment(t, name)
}

// It is known before the next producer comes, and before the consumer ends.
func TestTransfer_ProducerKilled_LossCountedWhileConsumerSleeps(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	c := testenv.Start(t, "consumer", "--name", name, "--follow", "--work", "100us", "--format", "json")
	p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "50000")...)
	testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > h.Count(layout.Consumer)+6000 })
	p.Kill()
	testenv.EventuallyHeader(t, name, "a count of what is lost", func(h *layout.Header) bool {
		side := &h.ConsumerStats
		return side.Lost.Load() > 0 && side.Consumed.Load()+side.Lost.Load() == h.Count(layout.Producer)
	})
	var seen testenv.Report
	if err := json.Unmarshal([]byte(testenv.GaugeOutput(t, "stat", "--name", name, "--json")), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Num("lostCount") < 1000 || seen.Num("queueDepth") != 0 || seen.Num("fdsInFlight") != 0 {
		t.Errorf("%v lost, %v queued, %v descriptors", seen["lostCount"], seen["queueDepth"], seen["fdsInFlight"])
	}
	c.Signal(unix.SIGTERM)
	c.WantExit(0)
	testenv.WantNoSegment(t, name)
}

// A consumer that was killed after it had counted what is lost has told nobody. The next one exits
// with 7, at the end of the stream or when it is stopped before it, and the one after it does not.
func TestTransfer_LossCountedByKilledConsumer_NextExits7(t *testing.T) {
	t.Parallel()
	for _, stopped := range []bool{false, true} {
		name := testenv.SegmentName(t)
		c := testenv.Start(t, "consumer", "--name", name, "--work", "100us")
		p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "50000")...)
		testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool { return h.Count(layout.Producer) > h.Count(layout.Consumer)+6000 })
		p.Kill()
		testenv.EventuallyHeader(t, name, "a count of what is lost", func(h *layout.Header) bool {
			side := &h.ConsumerStats
			return side.Lost.Load() > 0 && side.Consumed.Load()+side.Lost.Load() == h.Count(layout.Producer)
		})
		c.Kill()
		c = testenv.Start(t, "consumer", "--name", name)
		if stopped {
			p = testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "100")...)
			testenv.EventuallyConsumed(t, name, 1)
			c.Signal(unix.SIGTERM)
		} else {
			testenv.Start(t, "producer", testenv.TransferArgs(name, "--count", "10")...).WantExit(0)
		}
		c.WantError(7, "were lost with a producer that died")
		if stopped {
			c = testenv.Start(t, "consumer", "--name", name)
			testenv.EventuallyConsumed(t, name, 1) // without a consumer the producer would lose its queue
			p.Signal(unix.SIGTERM)
			p.WantExit(0)
			c.WantExit(0)
		}
		testenv.WantNoSegment(t, name)
	}
}

// What the socket holds of a dead producer nobody can send again: it goes with the consumer
// that is stopped, unless that is to drain.
func TestTransfer_ConsumerStoppedAfterProducerKilled_Hints(t *testing.T) {
	t.Parallel()
	for _, drain := range []string{"", "10ms", "1h"} {
		name := testenv.SegmentName(t)
		args := []string{"--name", name, "--verify", "--work"}
		switch drain {
		case "":
			args = append(args, "20ms")
		case "10ms":
			args = append(args, "20ms", "--drain", drain)
		default:
			args = append(args, "100us", "--drain", drain)
		}
		c := testenv.Start(t, "consumer", args...)
		p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--rate", "50000")...)
		testenv.EventuallyHeader(t, name, "a queue", func(h *layout.Header) bool {
			return h.Count(layout.Consumer) > 0 && h.Count(layout.Producer) > h.Count(layout.Consumer)+5000
		})
		p.Kill()
		c.Signal(unix.SIGTERM)
		switch drain {
		case "":
			c.WantHint(7, "this consumer stopped before it had received all messages of a producer that died; |messages were lost|--drain TIME receives such messages before the consumer stops", "restart both sides")
		case "10ms":
			c.WantHint(7, "this consumer stopped before|choose a longer --drain than 10ms", "restart both sides")
		default: // and not for an hour: what was never handed over does not come
			c.WantHint(7, "messages were lost with a producer that died|restart both sides", "--drain")
		}
		testenv.WantNoSegment(t, name)
	}
}
