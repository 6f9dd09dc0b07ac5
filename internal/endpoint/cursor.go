package endpoint

import "sluice/layout"

// Position is a place in the stream of a ring.
type Position struct {
	Index uint64 // free-running byte position
	Count uint64 // messages up to Index
	Bytes uint64 // payload bytes up to Index
}

// Publish makes a position visible to the peer; before is the count that was visible until
// now. full asks for a fence behind the last store, where the peer cannot issue one for this
// side. Only the holder of the role may call it.
//
// The order of the stores lets a successor count exactly, whichever of them was the last
// before a kill -9 (see Recover). A killed thread's earlier stores all become visible and its
// later ones never happen, so program order is enough for that. Count goes before Index so
// that an observer that reads the consumer's count first never sees more taken than given.
//
// The final store is the release that hands over the payloads. Nothing here loads from c: the
// peer polls that cache line, and a load would wait for it where stores go to the store
// buffer.
func Publish(c *layout.Cursor, before, index, count, bytes uint64, full bool) {
	c.CountBefore.StoreRelaxed(before)
	c.NextIndex.StoreRelaxed(index)
	c.Count.StoreRelaxed(count)
	c.Bytes.StoreRelaxed(bytes)
	if full {
		c.Index.Store(index)
	} else {
		c.Index.StoreRelease(index)
	}
}

// Recover reads the position that a predecessor published last in a ring of records. When
// NextIndex is not Index, it was killed inside Publish: Count may or may not be ahead already, and
// CountBefore is the count that belongs to Index.
//
// Bytes is exact after every orderly end; after a kill inside Publish it may include the
// messages of the publish that did not happen.
func Recover(c *layout.Cursor) Position {
	pos := Position{Index: c.Index.Load(), Count: c.Count.Load(), Bytes: c.Bytes.Load()}
	if c.NextIndex.Load() != pos.Index {
		pos.Count = c.CountBefore.Load()
	}
	return pos
}

// PositionOf returns the position that a role in a ring has published last. With fixed slots one
// store publishes, so there is nothing to recover from.
func PositionOf(h *layout.Header, role layout.Role) Position {
	c := h.Cursor(role)
	if size := h.Identity.SlotSize.Load(); size != 0 {
		n := c.Index.Load()
		return Position{Index: n, Count: n, Bytes: n * size}
	}
	return Recover(c)
}

// Repair makes a cursor of a ring of records consistent at a position that Recover has returned,
// before the first Publish of a successor. Count before NextIndex: a kill between the two leaves
// CountBefore in charge, which is right as well.
func Repair(c *layout.Cursor, at Position) {
	c.Count.Store(at.Count)
	c.NextIndex.Store(at.Index)
}

// Bytes returns the payload bytes up to the Index of a role.
func Bytes(h *layout.Header, role layout.Role) uint64 {
	c := h.Cursor(role)
	if size := h.Identity.SlotSize.Load(); size != 0 {
		return c.Index.Load() * size
	}
	return c.Bytes.Load()
}

// Published returns the messages up to the Index of a role in a ring: those that a successor
// would count. Anybody may call it, and what it returns never falls, whatever is killed when.
//
// Count moves shortly before Index, so it may belong to a publish that never
// happens. NextIndex is stored before Count and Index after it. Hence Count is right
// when no publish was under way (NextIndex was Index) both before and after it was
// read, or when Index has moved since. If a publish is under way, or was cut short by a
// kill, CountBefore is what belongs to Index. If none is under way any more, a
// successor may have set Count back after it was read: then it is read again.
//
// All this holds for the publishes of one holder. A successor raises Generation after it
// has set Count back and before it publishes, so Generation shows that there was only one:
// a side that is killed inside a publish and has a successor between two of these loads
// leaves NextIndex, and perhaps Count, as they were.
//
// With fixed slots Index is that number.
func Published(h *layout.Header, role layout.Role) (count uint64) {
	if h.Identity.SlotSize.Load() != 0 {
		return h.Cursor(role).Index.Load()
	}
	return published(h, role, (*layout.Uint64).Load)
}

// published is Published with the load as a parameter, for a test in which the side stores
// between any two of them.
func published(h *layout.Header, role layout.Role, load func(*layout.Uint64) uint64) (count uint64) {
	c, generation := h.Cursor(role), &h.Stats(role).Generation
	const maxTries = 1000 // a hostile peer may keep this loop going
	for range maxTries {
		holder := load(generation)
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
		if load(generation) == holder {
			return count
		}
	}
	return count
}
