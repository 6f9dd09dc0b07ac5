package testenv

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// RunMeasurement runs a program of scripts/ that measures, expects that it succeeds and that its
// output contains want, and that no segment is left whose name begins with prefix, a dot and the
// program's process id.
func RunMeasurement(t *testing.T, prefix, want, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v: %v: %s", args, err, out)
	}
	if cmd.Process == nil {
		return // it has not started
	}
	left, err := filepath.Glob(SegmentPath(fmt.Sprintf("%s.%d.*", prefix, cmd.Process.Pid)))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		t.Errorf("%v: %s is left", args, path)
	}
}
