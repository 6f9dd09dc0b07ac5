package pressure

import (
	"testing"

	"sluice/layout"
)

func TestSnapshot_BackPressure(t *testing.T) {
	for _, c := range []struct {
		mode layout.Mode
		full layout.Policy
		want BackPressure
	}{
		{layout.ModeRing, layout.PolicyDefault, Hard}, {layout.ModeRing, layout.PolicyBlock, Hard},
		{layout.ModeRing, layout.PolicyDrop, Drop}, {layout.ModeRing, layout.PolicyFail, Fail},
		{layout.ModeTransfer, layout.PolicyDefault, Soft}, {layout.ModeTransfer, layout.PolicyFail, Soft},
		{layout.ModeTransfer, layout.PolicyBlock, Credit}, {layout.ModeTransfer, layout.PolicyDrop, Drop},
		{layout.ModeTransfer, layout.Policy(77), Soft},
	} {
		g := oneRing
		g.Mode = c.mode
		h := &layout.Header{}
		h.ProducerStats.OnFull.Store(uint64(c.full))
		s := Read(h, g, LiveRoles{}, 0)
		if got := s.BackPressure(); got != "" {
			t.Errorf("%v, %v: %q before there is a producer", c.mode, c.full, got)
		}
		h.ProducerStats.Generation.Store(1)
		s = Read(h, g, LiveRoles{}, 0)
		if got := s.BackPressure(); got != c.want {
			t.Errorf("%v, %v: %q, want %q", c.mode, c.full, got, c.want)
		}
	}
}
