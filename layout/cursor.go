package layout

// Published returns the messages up to a side's Index in a ring: those that a successor
// would count. It may be called by anybody, and what it returns never falls, whatever is
// killed when.
//
// Count moves shortly before Index, so it may belong to a publish that never
// happens. NextIndex is stored before Count and Index after it. Hence Count is right
// when no publish was under way (NextIndex was Index) both before and after it was
// read, or when Index has moved since. If a publish is under way, or was cut short by a
// kill, CountBefore is what belongs to Index. If none is under way any more, a
// successor may have set Count back after it was read: then it is read again.
//
// All this holds for the publishes of one holder. A successor counts in Generation after it
// has set Count back and before it publishes, so Generation tells that there was only one:
// a side that is killed inside a publish and has a successor between two of these loads
// leaves NextIndex, and perhaps Count, as they were.
func (h *Header) Published(role Role) (count uint64) {
	return h.published(role, (*Uint64).Load)
}

// published is Published with the load as a parameter, for a test that lets the side go on
// between any two of them.
func (h *Header) published(role Role, load func(*Uint64) uint64) (count uint64) {
	c, holders := h.Cursor(role), &h.Stats(role).Generation
	const patience = 1000 // a hostile peer may keep this loop going
	for range patience {
		holder := load(holders)
		next := load(&c.NextIndex)
		count = load(&c.Count)
		index := load(&c.Index)
		now := load(&c.NextIndex)
		before := load(&c.CountBefore)
		switch moved := load(&c.Index) != index; {
		case moved:
		case now != index:
			return before
		case next != index || load(&c.Count) != count:
			continue
		}
		if load(holders) == holder {
			return count
		}
	}
	return count
}
