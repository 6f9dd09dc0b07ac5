package endpoint

import "sluice/layout"

// MaxHeld returns how much of a ring to hold before it is released together, at most: an eighth of
// what it has room for, and one message at least. More would block the producer for messages that
// could be released.
//
// Preconditions: g is a valid geometry of a ring.
func MaxHeld(g layout.Geometry) (bytes, messages int) {
	return int(g.Capacity / 8), max(1, int(g.MaxMessages()/8))
}
