package compare

import (
	"fmt"
	"time"

	"sluice/internal/format"
)

// The sweeps run closed-loop: the producer makes a message when it has sent the one before. They
// measure how much can be moved. Nothing is due at a time, so they have no response.

// Sizes are the message sizes of the sweep of sizes, in bytes.
var Sizes = []int{8, 64, 1 << 10, 64 << 10, 1 << 20}

const (
	sweepBound = 4 << 20   // of hard and credit
	sweepLimit = 256 << 20 // of soft
)

const (
	sizesAbout  = "closed loop: messages of one size as fast as the two sides can; hard and credit have 4 MiB, soft has 256 MiB"
	boundsAbout = "closed loop: messages of 64 B as fast as the two sides can, with the hard model"
)

// sizeLoad returns the load of messages of one size at full speed.
func sizeLoad(size int, length time.Duration) Load {
	return Load{
		ID: fmt.Sprintf("size-%d", size), Title: "Full speed, " + format.Size(size),
		Size: size, Length: length, Forever: true, Capacity: sweepBound, Limit: sweepBound, Soft: sweepLimit,
	}
}

// Bound is a bound of a ring.
type Bound struct {
	Slots, Capacity int // messages, bytes; one of them is 0
}

// String returns the bound as it is labelled.
func (b Bound) String() string {
	if b.Slots > 0 {
		return fmt.Sprintf("%d slots", b.Slots)
	}
	return format.Size(b.Capacity)
}

// Bounds are the bounds of the sweep of bounds, from the tightest to the widest.
var Bounds = []Bound{{8, 0}, {Capacity: 4 << 10}, {64, 0}, {Capacity: 64 << 10}, {Capacity: 1 << 20}, {Capacity: 16 << 20}}

// boundLoad returns the load of small messages at full speed through a ring of that bound.
func boundLoad(i int, length time.Duration) Load {
	b := Bounds[i]
	return Load{
		ID: fmt.Sprintf("bound-%d", i), Title: "Full speed, 64 B, " + b.String(),
		Size: 64, Length: length, Forever: true, Capacity: b.Capacity, Slots: b.Slots,
	}
}
