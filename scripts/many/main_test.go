package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

// Each part runs for a moment, succeeds, and leaves no segment.
func TestParts(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "many")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, part := range []struct{ args, want string }{
		{"idle --time 50ms --rings 130", "130 idle rings"},
		{"ready --cycles 300", "300 cycles without a lost event"},
		{"stopped --rounds 1 --messages 100000", "| 64 B |"},
		{"kills --kills 6 --rings 3", "all seen"},
	} {
		testenv.RunMeasurement(t, "many", part.want, binary, append([]string{"--cpu-producers", "-1", "--cpu-consumer", "-1"}, strings.Fields(part.args)...)...)
	}
}
