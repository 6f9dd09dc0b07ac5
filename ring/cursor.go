package ring

import (
	"fmt"

	"sluice/layout"
)

// position is a place in the stream.
type position struct {
	index uint64 // free-running byte position
	count uint64 // messages up to index
	bytes uint64 // payload bytes up to index
}

// publish makes a position visible; before is the count that was visible until
// now. full asks for a fence behind it, where the peer cannot issue one
// for us.
//
// The order of the stores lets a successor count exactly, whichever of them
// was the last before a kill -9 (see recoverPosition). A killed thread's
// earlier stores all become visible and its later ones never happen, so
// program order is enough for that. Count goes before Index so that an observer
// that reads the consumer's count first never sees more taken than given.
//
// The final store is the release that hands over the payloads. Nothing here
// loads from c: the peer polls that cache line, and a load would wait for it
// where stores go to the store buffer.
func publish(c *layout.Cursor, before, index, count, bytes uint64, full bool) {
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

// recoverPosition reads the position that a dead predecessor published last.
// When NextIndex is not Index, it died inside publish: Count may or may not be
// ahead already, CountBefore is what belongs to Index.
//
// Bytes is exact after every orderly end; after a kill inside publish it may
// include the messages of the publish that did not happen.
func recoverPosition(c *layout.Cursor) position {
	pos := position{index: c.Index.Load(), count: c.Count.Load(), bytes: c.Bytes.Load()}
	if c.NextIndex.Load() != pos.index {
		pos.count = c.CountBefore.Load()
	}
	return pos
}

// checkDistance validates two cursors against each other: what the writer is
// ahead must fit in the ring, in whole words, and hold no more messages than
// it can.
func checkDistance(capacity uint64, w, r position) error {
	ahead := w.index - r.index
	if ahead > capacity || ahead%8 != 0 {
		return fmt.Errorf("%w: write index %d is %d ahead of read index %d in a ring of %d bytes", ErrCorrupt, w.index, ahead, r.index, capacity)
	}
	if n := w.count - r.count; n > capacity/layout.RecordHeader {
		return fmt.Errorf("%w: %d messages produced and %d consumed leave %d in a ring of %d bytes", ErrCorrupt, w.count, r.count, n, capacity)
	}
	return nil
}
