package sink

import (
	"os"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/shm"
)

// MaxHeld returns how much of a segment to hold before it is written and released together:
// HoldBytes and HoldMessages of [Limits]. It is at most an eighth of what the queue may hold, so
// that the producer is not blocked by held messages.
func MaxHeld(seg *shm.Segment) (bytes, messages int) {
	bytes, messages = 1<<20, 512
	g := seg.Geometry()
	if g.Mode == layout.ModeRing {
		most := 0
		bytes, most = endpoint.MaxHeld(g)
		messages = min(messages, most)
	}
	limit := uint64(0)
	_ = shm.Guard(func() error { limit = seg.Header().ProducerStats.Limit.Load(); return nil }) // the first call that receives returns the error
	if g.Mode == layout.ModeTransfer && limit > 0 {
		bytes = int(min(uint64(bytes), limit/8))
		messages = max(1, int(min(uint64(messages), limit/8/uint64(os.Getpagesize())))) // one may count for a page
	}
	return bytes, messages
}
