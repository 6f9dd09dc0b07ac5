package report

import (
	"strings"
	"testing"

	"sluice/layout"
	"sluice/pressure"
)

// A bridge in is the producer that is missing: what it waits for is the bridge at the other side.
func TestReporter_NoSegment_AdviceForTheSideThatWaits(t *testing.T) {
	for role, advice := range map[layout.Role]string{layout.Consumer: "start a producer", layout.Producer: "bridge out"} {
		rep, _ := newReporter(Options{Role: role, Name: "x", Mode: layout.ModeRing}).make(pressure.Snapshot{}, true)
		if !strings.Contains(rep.Advice, advice) {
			t.Errorf("%v: %q, want %q in it", role, rep.Advice, advice)
		}
	}
}
