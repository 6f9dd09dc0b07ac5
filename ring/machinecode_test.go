package ring

import (
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

// What a message takes in the caller's loop: calls that were inlined are not there, and nor is a
// check of bounds where none is needed. "indirect" are the slow paths of fixed slots.
func TestMachineCode_HotLoops_Calls(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: the compiler runs for two architectures; not with -short")
	}
	want := map[string]string{
		"Send":        "(*Writer).Send",
		"Reserve":     "(*Writer).Commit (*Writer).Publish (*Writer).Reserve panicBounds",
		"ReserveMany": "(*Writer).Commit (*Writer).Publish (*Writer).Reserve panicBounds",
		"Take":        "(*Reader).Release (*Reader).Take panicBounds",
		"Next":        "(*Reader).Next (*Reader).Release panicBounds",
		"NextMany":    "(*Reader).Next (*Reader).Release panicBounds",

		"Slot":       "indirect",
		"TrySlot":    "indirect",
		"Push":       "(*WriterOf[go.shape.uint64]).Push",
		"Window":     "(*WriterOf[go.shape.uint64]).Window (*slotWriter).publishN",
		"SlotNext":   "indirect",
		"TryNext":    "indirect",
		"Pop":        "(*ReaderOf[go.shape.uint64]).Pop",
		"WindowNext": "(*ReaderOf[go.shape.uint64]).Window indirect",
	}
	for _, arch := range []string{"amd64", "arm64"} {
		got := testenv.MachineCalls(t, arch)
		for loop, callees := range want {
			var in []string
			for _, callee := range got["ring.loop"+loop] {
				in = append(in, strings.TrimPrefix(strings.TrimPrefix(callee, "ring."), "runtime."))
			}
			slices.Sort(in)
			if strings.Join(in, " ") != callees {
				t.Errorf("%s: %s calls %q, want %q", arch, loop, in, callees)
			}
		}
	}
}
