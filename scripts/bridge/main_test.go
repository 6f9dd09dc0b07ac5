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
	dir := t.TempDir()
	for _, build := range [][]string{
		{"-o", dir + "/", "../../cmd/producer", "../../cmd/consumer", "../../cmd/bridge"},
		{"-o", filepath.Join(dir, "measure"), "."},
	} {
		if out, err := exec.Command("go", append([]string{"build"}, build...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, part := range []struct{ args, want string }{
		{"throughput --rounds 1 --scale 0.002 --jobs memory", "| records of 64 KiB, memory |"},
		{"latency --rounds 1 --messages 600", "| plain NATS, file |"},
		{"stopped --rounds 1 --max-bytes 1048576 --rate 5000", "| consumer goes on, until the producer does |"},
		{"kills --kills 8", "the far ring had each once, in that order"},
	} {
		testenv.RunMeasurement(t, "bridge", part.want, filepath.Join(dir, "measure"), append([]string{"--bin", dir}, strings.Fields(part.args)...)...)
	}
}
