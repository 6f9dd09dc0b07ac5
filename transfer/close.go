package transfer

import (
	"sluice/layout"
	"sluice/shm"
)

// A Close may come from another goroutine than the one that uses the end, at any
// instruction of it. What is asked of it is what package ring asks: the next call of the
// user fails, and one that waits is ended; nothing faults; the peer and the next holder of
// the role find what the user had published, and nothing that it stores later.
//
// Every call passes a gate (gate.Gate). Close closes it, ends a call that waits, and waits
// for the one that is inside. Then nobody else is in a call, and Close may do what the
// user may: send what is committed, and when the sendLoop has ended release the role and
// unmap. Some calls pass no gate. Unread, Drain and StopSending take a lock, as they work until
// Close; StopSending closes the gate too, so that nothing is published after it has counted.
// Publish of a packed buffer is as frequent as messages are; for it the header page is made
// private (shm.Segment.Detach) before the role is released, and unmapped later.
//
// The user may be between two calls and in the middle of a slice. Slices of ordinary
// memory are the garbage collector's. Those of recycled buffers are of a mapping, which
// stays until the user shows that it has none any more (deferredUnmap). It needs not be made
// private, as the ring's: what is written to a reservation lies behind what is committed,
// where no consumer looks, or in a buffer that is not sent; and such a buffer is not used
// for anything else any more.
//
// A call that can panic leaves the gate all the same. So a call that stays inside is one
// that works, maybe on a message of a GiB, and gate.CloseTimeout is long. When it is over,
// Close has done nothing but end all further calls.

// keepRequested reports whether either side has asked to leave the segment in place. A
// page that cannot be read is not worth keeping.
func keepRequested(sides ...*layout.RoleStats) (keep bool) {
	_ = shm.Guard(func() error {
		for _, side := range sides {
			keep = keep || side.Keep.Load() != 0
		}
		return nil
	})
	return keep
}
