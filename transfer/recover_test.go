package transfer

import (
	"testing"

	"sluice/layout"
)

// A Receiver stores Count, then Lost, then Consumed, and may be killed after each.
func TestReceiver_Killed_SuccessorCompletesCounts(t *testing.T) {
	for _, c := range []struct {
		name                         string
		count, lost, nextLost, taken uint64 // as the kill left them
		wantLost, wantConsumed       uint64
	}{
		{"at rest", 100, 10, 10, 90, 10, 90},
		{"taking, before Count", 100, 10, 10, 90, 10, 90},
		{"taking, after Count", 105, 10, 10, 90, 10, 95},
		{"losing, before Count", 100, 10, 17, 90, 10, 90},
		{"losing, after Count", 107, 10, 17, 90, 17, 90},
		{"losing, after Lost", 107, 17, 17, 90, 17, 90},
		{"losing and taking, after Count", 110, 10, 17, 90, 17, 93},
		{"losing and taking, after Lost", 110, 17, 17, 90, 17, 93},
	} {
		var side layout.RoleStats
		side.Lost.Store(c.lost)
		side.NextLost.Store(c.nextLost)
		side.Consumed.Store(c.taken)
		lost := recoverCounts(&side, c.count)
		if lost != c.wantLost || side.Lost.Load() != c.wantLost || side.Consumed.Load() != c.wantConsumed {
			t.Errorf("%s: lost %d, consumed %d; want %d and %d", c.name, side.Lost.Load(), side.Consumed.Load(), c.wantLost, c.wantConsumed)
		}
	}
}
