package heapfloor

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

var sink []byte

// collections returns how often the collector has run while so many bytes of garbage were made.
func collections(garbage int) uint32 {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range garbage >> 20 {
		sink = make([]byte, 1<<20)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

func TestRaise_FewerCollections(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("SKIPPED: GOGC is set")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	const garbage = 1 << 30
	without := collections(garbage)
	Raise()
	defer func() { floor = nil }()
	with := collections(garbage)
	if most := uint32(2 * garbage / minGrowth); with > most || without < 2*with {
		t.Errorf("%d collections of 1 GiB without a floor and %d with one, want at most %d", without, with, most)
	}
}

func TestRaise_GOGCOfTheUser_GoesFirst(t *testing.T) {
	if os.Getenv("GOGC") == "50" {
		if Raise(); floor != nil {
			t.Fatal("there is a floor")
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", t.Name())
	cmd.Env = append(os.Environ(), "GOGC=50")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}
