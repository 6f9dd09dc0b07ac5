package ring

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// pairs are a loop that writes and one that reads, and how many instructions a message of 8 bytes
// takes at most in both together, on amd64, with what prefetching adds to it. The figures are what
// callgrind counts, and 2 % more: runs differ by one or two. A change that needs more says why.
var pairs = []struct {
	name string
	most float64
}{
	{"Send Take", 196},
	{"Reserve Next", 277},
	{"ReserveMany NextMany", 210},
	{"SendBatch NextBatch", 94},
	{"Slot SlotNext", 75},
	{"Push Pop", 120},
	{"Window WindowNext", 22},
}

// perRound is how many messages are written, and then read.
const perRound = 1 << 10

// runLoops is a process that runs a pair of loops, in turn, for as many rounds as the last argument
// says. Nothing is timed: samples come by the clock, not by the message.
func runLoops(args []string) error {
	rounds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var (
		w  *Writer
		r  *Reader
		sw *WriterOf[uint64]
		sr *ReaderOf[uint64]
	)
	if records, err := layout.RingGeometry(64<<10, 0, 4096); err != nil {
		return err
	} else if w, err = NewWriter(plainMemory(records), WriterOptions{}); err != nil {
		return err
	} else if r, err = NewReader(w.mem, ReaderOptions{}); err != nil {
		return err
	}
	if slots, err := layout.SlotGeometry(8, 64<<10, 0, 0, 4096); err != nil {
		return err
	} else if sw, err = NewWriterOf[uint64](plainMemory(slots), WriterOptions{}); err != nil {
		return err
	} else if sr, err = NewReaderOf[uint64](sw.mem, ReaderOptions{}); err != nil {
		return err
	}
	w.sampler.next, sw.sampler.next = 1<<40, 1<<40

	ctx, msg := context.Background(), make([]byte, 8)
	msgs := batchOf(8)
	write := map[string]func() error{
		"Send":        func() error { return loopSend(ctx, w, msg, perRound) },
		"Reserve":     func() error { return loopReserve(ctx, w, perRound) },
		"SendBatch":   func() error { return loopSendBatch(ctx, w, msgs, perRound) },
		"ReserveMany": func() error { return loopReserveMany(ctx, w, perRound) },
		"Slot":        func() error { return loopSlot(ctx, sw, perRound) },
		"Push":        func() error { return loopPush(ctx, sw, perRound) },
		"Window":      func() error { return loopWindow(ctx, sw, perRound) },
	}[args[0]]
	read := map[string]func() (uint64, error){
		"Take":       func() (uint64, error) { return loopTake(ctx, r, perRound) },
		"Next":       func() (uint64, error) { return loopNext(ctx, r, perRound) },
		"NextBatch":  func() (uint64, error) { return loopNextBatch(ctx, r, perRound) },
		"NextMany":   func() (uint64, error) { return loopNextMany(ctx, r, perRound) },
		"SlotNext":   func() (uint64, error) { return loopSlotNext(ctx, sr, perRound) },
		"Pop":        func() (uint64, error) { return loopPop(ctx, sr, perRound) },
		"WindowNext": func() (uint64, error) { return loopWindowNext(ctx, sr, perRound) },
	}[args[1]]
	for range rounds {
		if err := write(); err != nil {
			return err
		}
		if _, err := read(); err != nil {
			return err
		}
	}
	return nil
}

func TestInstructions_PerMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: valgrind takes half a minute; not with -short")
	}
	if !layout.StoreReleaseOvertaken {
		t.Skip("SKIPPED, NOT TESTED: the figures are for amd64 without the race detector")
	}
	if _, err := exec.LookPath("valgrind"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: there is no valgrind to count instructions with")
	}
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			const rounds = 100
			// The difference is without what a start takes.
			n := (instructions(t, p.name, 2*rounds) - instructions(t, p.name, rounds)) / (rounds * perRound)
			t.Logf("%.1f instructions a message", n)
			if n > p.most {
				t.Errorf("%.1f instructions a message, want at most %v", n, p.most)
			}
		})
	}
}

// instructions counts those of a process that runs a pair of loops for that many rounds. When two
// threads of the Go runtime want one of its locks, as they do at a start now and then, it executes
// an instruction that valgrind does not know (RDTSCP). Then the process is run again.
func instructions(t *testing.T, pair string, rounds int) float64 {
	t.Helper()
	for range 5 {
		n, text := countInstructions(t, pair, rounds)
		if n > 0 {
			return n
		}
		if !strings.Contains(text, "Unrecognised instruction") {
			t.Fatal(text)
		}
		t.Log("valgrind does not know an instruction of the runtime; again")
	}
	t.Fatal("in no run of five did valgrind know all instructions")
	return 0
}

// countInstructions is one run, which returns what it has printed if it fails.
func countInstructions(t *testing.T, pair string, rounds int) (n float64, failure string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "callgrind")
	cmd := exec.Command("valgrind", "--tool=callgrind", "--callgrind-out-file="+out, os.Args[0])
	cmd.Args = append(cmd.Args, append(strings.Fields(pair), strconv.Itoa(rounds))...)
	// Valgrind does not get along with the signals that preempt a goroutine.
	cmd.Env = append(os.Environ(), testenv.ChildEnv("loops"), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	stdin, err := cmd.StdinPipe() // open as long as this process needs the child
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if text, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Sprintf("%v: %v\n%s", cmd, err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	total := regexp.MustCompile(`(?m)^totals: (\d+)$`).FindSubmatch(text)
	if total == nil {
		t.Fatalf("callgrind has written no total:\n%s", text)
	}
	if n, err = strconv.ParseFloat(string(total[1]), 64); err != nil {
		t.Fatal(err)
	}
	return n, ""
}
