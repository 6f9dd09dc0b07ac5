package cmd_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// creditForms are producers that wait at their limit, in every form of a transfer, and the limit in
// bytes.
var creditForms = []struct {
	name  string
	limit uint64
	args  []string
}{
	{"plain", 128 << 10, []string{"--limit", "128KiB"}},
	{"packed", 128 << 10, []string{"--limit", "128KiB", "--buffer", "16KiB"}},
	{"recycled", 128 << 10, []string{"--limit", "128KiB", "--recycle"}},
	{"packed and recycled", 128 << 10, []string{"--limit", "128KiB", "--buffer", "16KiB", "--recycle", "--resume-at", "25%"}},
}

// inCreditForms runs a test with a producer's arguments that let it wait at its limit.
func inCreditForms(t *testing.T, fn func(t *testing.T, limit uint64, args []string)) {
	for _, form := range creditForms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			fn(t, form.limit, append([]string{"--on-limit", "block"}, form.args...))
		})
	}
}

// blockedAtLimit waits until the producer of a segment sleeps at its limit for the nth time.
func blockedAtLimit(t *testing.T, name string, n uint64) {
	t.Helper()
	testenv.EventuallyHeader(t, name, "a producer at its limit", func(h *layout.Header) bool {
		return h.ProducerStats.Waits.Load() >= n && h.ProducerSleep.Flag.Load() != 0
	})
}

// The memory that both sides have really taken, as the kernel counts it, looked at every 10 ms
// while messages of many sizes come and go, consumers are killed and stopped, and the producer is
// as fast as it may be. The producer is stopped for each look: else one could count a buffer that
// is closed by the time another is made.
func TestCredit_MemoryNeverAboveLimit(t *testing.T) {
	t.Parallel()
	inCreditForms(t, func(t *testing.T, limit uint64, args []string) {
		name := testenv.SegmentName(t)
		p := testenv.StartWith(t, "producer", testenv.Options{Args: testenv.TransferArgs(name, append(args, "--input", "-")...), Stdin: &linesOfManySizes{}})
		blockedAtLimit(t, name, 1)
		var c *testenv.Process
		most := uint64(0)
		const looks, period = 150, 10 * time.Millisecond
		for i := range looks {
			switch i % 50 {
			case 0:
				c = testenv.Start(t, "consumer", "--name", name, "--work", "50us")
			case 20:
				c.Pause()
			case 30:
				c.Continue()
			case 49:
				c.Kill()
			}
			next := time.Now().Add(period)
			p.Pause()
			taken := testenv.MemfdBytes(p.Cmd.Process.Pid, c.Cmd.Process.Pid)
			h := testenv.Header(name)
			p.Continue()
			if said := h.ProducerStats.Memory.Load(); max(taken, said) > limit {
				t.Fatalf("look %d: %d bytes are taken, with what waits and what is kept %d, and the limit is %d", i, taken, said, limit)
			}
			most = max(most, taken)
			time.Sleep(time.Until(next))
		}
		if h := testenv.Header(name); most < limit/2 || h.ProducerStats.Waits.Load() == 0 {
			t.Errorf("%d bytes at most, %d waits: the limit of %d was never reached", most, h.ProducerStats.Waits.Load(), limit)
		}
		p.Kill()
	})
}

// linesOfManySizes is an input without an end: most of its lines are short.
type linesOfManySizes struct {
	n    int
	rest []byte
}

// Read returns the next part of a line.
func (l *linesOfManySizes) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		size := l.n * l.n % 700
		if l.n%13 == 0 {
			size = l.n * 31 % 40_000
		}
		l.rest = append(bytes.Repeat([]byte("x"), size), '\n')
		l.n++
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// A killed or stopped consumer takes nothing with it, and leaves the producer blocked until the
// next one releases what it held.
func TestCredit_ConsumersKilledAndStopped_LoseNothing(t *testing.T) {
	t.Parallel()
	inCreditForms(t, func(t *testing.T, _ uint64, args []string) {
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", testenv.TransferArgs(name, args...)...)
		for i := range 6 {
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--work", "10us")
			testenv.EventuallyConsumed(t, name, 500)
			switch i % 3 {
			case 0:
				c.Kill()
			case 1: // asleep, or with a release half done
				c.Pause()
				time.Sleep(20 * time.Millisecond)
				c.Continue()
				testenv.EventuallyConsumed(t, name, 100)
				c.Kill()
			case 2:
				c.Signal(unix.SIGTERM)
				c.WantExit(0)
			}
		}
		c := testenv.Start(t, "consumer", "--name", name, "--verify")
		testenv.EventuallyConsumed(t, name, 5_000)
		p.Signal(unix.SIGINT)
		p.WantExit(0)
		c.WantExit(0)
		f := p.Final()
		if f.Num("lostCount") != 0 || f["producedCount"] != f["consumedCount"] || f.Num("producerWaits") == 0 || f["limitReached"] != false {
			t.Errorf("%v lost, %v produced, %v consumed, %v waits, limit reached %v", f["lostCount"], f["producedCount"], f["consumedCount"], f["producerWaits"], f["limitReached"])
		}
		testenv.WantNoSegment(t, name)
	})
}

// What a producer that is killed while it is blocked had queued dies with it, as far as it was not
// in the socket, and no more than the limit; its successor has the whole limit.
func TestCredit_ProducerKilledBlocked_QueueLostAndCounted(t *testing.T) {
	t.Parallel()
	const size = 1000
	inCreditForms(t, func(t *testing.T, limit uint64, args []string) {
		name, args := testenv.SegmentName(t), append(args, "--size", fmt.Sprint(size))
		consumer := func() *testenv.Process {
			return testenv.Start(t, "consumer", "--name", name, "--verify", "--work", "200us", "--format", "json", "--follow")
		}
		c := consumer()
		for i := range 4 {
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, args...)...)
			testenv.EventuallyConsumed(t, name, 50)
			if i%2 == 0 { // nothing is in the socket then
				c.Kill()
			}
			waits := testenv.Header(name).ProducerStats.Waits.Load()
			blockedAtLimit(t, name, waits)
			p.Kill()
			if i%2 == 0 {
				c = consumer()
			}
		}
		p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(args, "--count", "500")...)...)
		p.WantExit(0)
		c.Signal(unix.SIGTERM)
		c.WantExit(0)
		f := c.Final()
		if f.Num("lostCount") == 0 || f.Num("consumedCount")+f.Num("lostCount") != f.Num("producedCount") {
			t.Errorf("%v produced, %v consumed, %v lost", f["producedCount"], f["consumedCount"], f["lostCount"])
		}
		if lost := f.Num("lostCount"); lost > 4*float64(limit)/size {
			t.Errorf("%v lost with four producers that had at most %d bytes in flight each", lost, limit)
		}
		testenv.WantNoSegment(t, name)
	})
}

// Until a consumer finds that they are lost, the messages of a killed producer count as queued. So
// the queue seems to have held more than the limit allows, and the reports say why.
func TestCredit_ProducerKilledBlocked_DeepestQueueCountsLost(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	args := []string{"--name", name, "--mode", "transfer", "--on-limit", "block", "--limit", "128KiB"}
	killed := testenv.Start(t, "producer", args...)
	blockedAtLimit(t, name, 1)
	killed.Kill()
	left := testenv.Header(name).Count(layout.Producer)
	if said := testenv.GaugeOutput(t, "stat", name); !strings.Contains(said, fmt.Sprintf("deepest %d messages, counting lost ones\n", left)) {
		t.Errorf("gauge stat:\n%s", said)
	}
	p := testenv.Start(t, "producer", append(args, "--report", "50ms", "--count", "100")...)
	blockedAtLimit(t, name, 2)
	c := testenv.Start(t, "consumer", "--name", name, "--report", "0")
	p.WantExit(0)
	c.WantExit(7)
	for _, side := range []*testenv.Process{p, c} {
		if said := side.Stderr.String(); !strings.Contains(said, fmt.Sprintf("at most %d messages, counting lost ones\n", 2*left)) {
			t.Errorf("%d messages were left by the first producer; %v:\n%s", left, side.Cmd.Args, said)
		}
	}
}

// Wherever a consumer is killed, between any two system calls, the producer that waits for it goes
// on with the next one, and nothing is missing.
func TestCredit_ConsumerKilledAtEachCall_ProducerGoesOn(t *testing.T) {
	t.Parallel()
	inCreditForms(t, func(t *testing.T, _ uint64, args []string) {
		must := "close"
		if strings.Contains(strings.Join(args, " "), "--recycle") {
			must = "recvmsg"
		}
		atEachCall(t, must, func(killAt string) ([]string, bool) {
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(args, "--count", "3000", "--size", "1000", "--report", "0")...)...)
			blockedAtLimit(t, name, 1)
			first := startTraced(t, name, nil, "consumer", "--report", "0", "--count", "300", "--work", "400us", "--verify")
			first.killAt, first.names = killAt, true
			testenv.EventuallyConsumed(t, name, 5)
			first.armed.Store(true)
			killed := first.wait()
			if !killed && first.status.ExitStatus() != 0 {
				t.Fatalf("%v; stderr:\n%s", first.status, first.output())
			}
			testenv.Start(t, "consumer", "--name", name, "--report", "0", "--verify").WantExit(0)
			p.WantExit(0)
			if f := p.Final(); f.Num("lostCount") != 0 || f.Num("consumedCount") != 3000 {
				t.Fatalf("killed at %s: %v consumed, %v lost", killAt, f["consumedCount"], f["lostCount"])
			}
			return first.calls, killed
		})
	})
}

// A blocked producer obeys a signal at once: without a consumer, what is queued is lost.
func TestCredit_BlockedProducer_ObeysSignals(t *testing.T) {
	t.Parallel()
	for _, twice := range []bool{false, true} {
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", testenv.TransferArgs(name, "--limit", "64KiB", "--on-limit", "block")...)
		testenv.EventuallyHeader(t, name, "a producer that is alone", func(h *layout.Header) bool {
			return layout.State(h.ProducerStats.State.Load()) == layout.StateAlone
		})
		if out := testenv.GaugeOutput(t, "stat", "--name", name); !strings.Contains(out, "there is no consumer; the producer is blocked") {
			t.Errorf("gauge stat:\n%s", out)
		}
		if !twice {
			p.Signal(unix.SIGTERM)
			p.WantError(1, "16 that no consumer has released")
			continue
		}
		c := testenv.Start(t, "consumer", "--name", name, "--work", "1h")
		testenv.EventuallyHeader(t, name, "a consumer at work", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
		p.SignalTwice()
		c.Kill()
	}
}

// What was dropped at the limit is no fault for --verify, and messages are dropped while there is
// no room, and not otherwise.
func TestDrop_AtLimit_VerifyAccountsForIt(t *testing.T) {
	t.Parallel()
	for _, form := range [][]string{nil, {"--buffer", "16KiB"}, {"--recycle"}} {
		t.Run(strings.Join(form, " "), func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", testenv.TransferArgs(name, append(form, "--limit", "128KiB", "--on-limit", "drop", "--rate", "20000", "--count", "20000")...)...)
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--work", "200us", "--format", "json")
			p.WantExit(0)
			c.WantExit(0)
			f := c.Final()
			if f.Num("droppedCount") == 0 || f.Num("producedCount")+f.Num("droppedCount") != 20_000 || f.Num("refusedCount") != 0 || f["consumedCount"] != f["producedCount"] {
				t.Errorf("%v produced, %v dropped, %v refused, %v consumed", f["producedCount"], f["droppedCount"], f["refusedCount"], f["consumedCount"])
			}
			if p.Final().Num("producerWaits") != 0 {
				t.Error("a producer that drops messages was blocked")
			}
		})
	}
}
