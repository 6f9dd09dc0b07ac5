package main

import (
	"fmt"

	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/layout"
)

// warnFewSlots prints a warning if a ring of fixed slots holds fewer messages than --slots allows:
// its capacity is the tighter bound, which is easily overlooked where only --slots was given.
func warnFewSlots(name string, g layout.Geometry, slots uint64) {
	if !g.Fixed() || slots <= g.MaxMessages() {
		return
	}
	text := fmt.Sprintf("the ring has room for %s of %s, not for --slots %d", format.Messages(g.MaxMessages()), format.Size(g.SlotSize), slots)
	hint := ""
	if need := capacityFor(g.SlotSize, slots); need != 0 {
		hint = "choose --capacity " + format.FlagSize(need)
	}
	cli.Warn("producer", name, text, hint)
}

// capacityFor returns the smallest --capacity whose ring has that many slots of slotSize bytes; 0
// when none has.
func capacityFor(slotSize, slots uint64) uint64 {
	for capacity := uint64(layout.MinCapacity); capacity <= layout.MaxCapacity; capacity *= 2 {
		if g, err := layout.SlotGeometry(slotSize, capacity, 0, 0, layout.MinCapacity); err == nil && g.MaxMessages() >= slots {
			return capacity
		}
	}
	return 0
}
