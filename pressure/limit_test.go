package pressure

import (
	"testing"

	"sluice/layout"
)

func TestLimitReached(t *testing.T) {
	queue := func(mode layout.Mode, alive bool, messages uint64, o layout.RefuseReason) *Snapshot {
		s := &Snapshot{Geometry: layout.Geometry{Mode: mode}, Limit: 100, QueueBytes: 100, Produced: messages, RefuseReason: o}
		s.Producer.Alive = alive
		return s
	}
	for _, c := range []struct {
		what string
		s    *Snapshot
		want bool
	}{
		{"the producer was refused", queue(layout.ModeTransfer, true, 1, layout.RefuseMemoryLimit), true},
		{"full to the last byte, and nobody was refused", queue(layout.ModeTransfer, true, 1, layout.RefuseNone), false},
		{"something else is in the way", queue(layout.ModeTransfer, true, 1, layout.RefuseSocketFull), false},
		{"nothing is queued any more", queue(layout.ModeTransfer, true, 0, layout.RefuseMemoryLimit), false},
		{"the producer has ended", queue(layout.ModeTransfer, false, 1, layout.RefuseMemoryLimit), false},
		{"a ring", queue(layout.ModeRing, true, 1, layout.RefuseMemoryLimit), false},
	} {
		if got := c.s.LimitReached(); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
