package layout

import (
	"fmt"
	"math/bits"
)

// Geometry is what is fixed about a segment when it is created.
type Geometry struct {
	Mode     Mode
	Capacity uint64 // bytes of ring: a power of two, or SlotSize times one; 0 in transfer mode
	Slots    uint64 // maximum of messages in flight; 0 = limited by bytes only

	// DataOffset is where the data region starts, a multiple of the page
	// size; 0 in transfer mode.
	DataOffset uint64

	SlotSize    uint64 // bytes of a fixed slot; 0 = records of variable size
	Fingerprint uint64 // of the type in a fixed slot (Fingerprint); 0 = none
}

// Fixed reports whether the ring has fixed slots, each for one message of SlotSize bytes, and not
// records of variable size.
func (g Geometry) Fixed() bool { return g.SlotSize != 0 }

// MaxMessages returns how many messages the ring holds at most, 0 in transfer mode.
func (g Geometry) MaxMessages() uint64 {
	most := g.Capacity / RecordHeader
	if g.Fixed() {
		most = g.Capacity / g.SlotSize
	}
	if g.Slots > 0 {
		most = min(most, g.Slots)
	}
	return most
}

// MaxMessage returns the largest message of the ring, in bytes: with fixed slots the only size.
//
// Preconditions: g is a valid geometry of a ring.
func (g Geometry) MaxMessage() uint64 {
	if g.Fixed() {
		return g.SlotSize
	}
	return MaxMessage(g.Capacity)
}

// RingGeometry returns the geometry of a ring on a machine with that page size. It
// fails when capacity is not a power of two, is below MinCapacity or the page
// size, or is above MaxCapacity, and when slots is above MaxCapacity.
func RingGeometry(capacity, slots, pageSize uint64) (Geometry, error) {
	minimum := max(MinCapacity, pageSize)
	if bits.OnesCount64(capacity) != 1 || capacity < minimum || capacity > MaxCapacity {
		return Geometry{}, fmt.Errorf("capacity %d is not a power of two from %d to %d bytes", capacity, minimum, uint64(MaxCapacity))
	}
	if slots > MaxCapacity {
		return Geometry{}, fmt.Errorf("slots %d is more than %d", slots, uint64(MaxCapacity))
	}
	return Geometry{
		Mode:       ModeRing,
		Capacity:   capacity,
		Slots:      slots,
		DataOffset: max(HeaderSize, pageSize),
	}, nil
}

// SlotGeometry returns the geometry of a ring with fixed slots of slotSize bytes, on a machine with
// that page size. Their number is a power of two. With capacity 0 it is the smallest that is not
// below slots, else the largest that fits into capacity bytes, which need not be a power of two;
// with both 0, into DefaultCapacity, or one. It fails when slotSize is 0 or above MaxCapacity, when
// a slot does not fit into capacity, when there would be more than MaxCapacity slots, or more than
// MaxSlotBytes bytes of them. fingerprint is Geometry.Fingerprint.
func SlotGeometry(slotSize, capacity, slots, fingerprint, pageSize uint64) (Geometry, error) {
	if slotSize == 0 || slotSize > MaxCapacity {
		return Geometry{}, fmt.Errorf("slot size %d is not from 1 to %d bytes", slotSize, uint64(MaxCapacity))
	}
	if slots > MaxCapacity {
		return Geometry{}, fmt.Errorf("slots %d is more than %d", slots, uint64(MaxCapacity))
	}
	var number uint64
	switch {
	case capacity >= slotSize:
		number = 1 << (bits.Len64(capacity/slotSize) - 1)
	case capacity > 0:
		return Geometry{}, fmt.Errorf("capacity %d is less than a slot of %d bytes", capacity, slotSize)
	case slots > 0:
		number = 1 << bits.Len64(slots-1)
	default:
		number = 1 << (bits.Len64(max(DefaultCapacity/slotSize, 1)) - 1)
	}
	if number > MaxCapacity || number > MaxSlotBytes/slotSize {
		return Geometry{}, fmt.Errorf("%d slots of %d bytes are more than %d slots or %d bytes", number, slotSize, uint64(MaxCapacity), uint64(MaxSlotBytes))
	}
	return Geometry{
		Mode:        ModeRing,
		Capacity:    number * slotSize,
		Slots:       slots,
		DataOffset:  max(HeaderSize, pageSize),
		SlotSize:    slotSize,
		Fingerprint: fingerprint,
	}, nil
}

// FileSize returns the bytes that a segment of this geometry takes on disk.
func (g Geometry) FileSize() int64 {
	if g.Mode != ModeRing {
		return HeaderSize
	}
	return int64(g.DataOffset + (g.Capacity+slotAlign-1)&^(slotAlign-1))
}

// slotAlign is what the bytes of fixed slots are rounded up to in the file.
const slotAlign = 4096

// Init writes the identity of a new segment. createdAt is in nanoseconds since
// 1970. The magic is stored last: without it nothing else is read.
//
// Preconditions: nobody else can see the memory yet, and it is all zero.
func (h *Header) Init(g Geometry, createdAt uint64) {
	id := &h.Identity
	id.Version.Store(Version)
	id.HeaderSize.Store(HeaderSize)
	id.Mode.Store(uint64(g.Mode))
	id.Capacity.Store(g.Capacity)
	id.Slots.Store(g.Slots)
	id.DataOffset.Store(g.DataOffset)
	id.SlotSize.Store(g.SlotSize)
	id.Fingerprint.Store(g.Fingerprint)
	id.CreatedAt.Store(createdAt)
	id.Magic.Store(Magic)
}

// CheckVersion returns ErrVersion for another version of the layout than this one.
func CheckVersion(v uint64) error {
	if v != Version {
		return fmt.Errorf("%w: its layout has version %d, this program has version %d", ErrVersion, v, Version)
	}
	return nil
}

// Geometry validates the identity against the file's size and the machine's
// page size and returns it. Each value is read once, so what is returned is
// what was checked. The error is ErrNotSegment, ErrVersion or ErrCorrupt, checked in
// that order.
func (h *Header) Geometry(fileSize int64, pageSize uint64) (Geometry, error) {
	id := &h.Identity
	if m := id.Magic.Load(); m != Magic {
		return Geometry{}, fmt.Errorf("%w: magic is %#x", ErrNotSegment, m)
	}
	if err := CheckVersion(id.Version.Load()); err != nil {
		return Geometry{}, err
	}
	if n := id.HeaderSize.Load(); n != HeaderSize {
		return Geometry{}, fmt.Errorf("%w: header size %d, want %d", ErrCorrupt, n, HeaderSize)
	}
	g := Geometry{
		Mode:        Mode(id.Mode.Load()),
		Capacity:    id.Capacity.Load(),
		Slots:       id.Slots.Load(),
		DataOffset:  id.DataOffset.Load(),
		SlotSize:    id.SlotSize.Load(),
		Fingerprint: id.Fingerprint.Load(),
	}
	switch g.Mode {
	case ModeRing:
		want, err := g.ring(pageSize)
		if err != nil {
			return Geometry{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if g.Capacity != want.Capacity {
			return Geometry{}, fmt.Errorf("%w: %d bytes are no power of two of slots of %d bytes", ErrCorrupt, g.Capacity, g.SlotSize)
		}
		if g.DataOffset != want.DataOffset {
			return Geometry{}, fmt.Errorf("%w: data offset %d, want %d", ErrCorrupt, g.DataOffset, want.DataOffset)
		}
	case ModeTransfer:
		if g.Capacity != 0 || g.DataOffset != 0 || g.Slots > MaxCapacity || g.SlotSize != 0 {
			return Geometry{}, fmt.Errorf("%w: transfer mode with capacity %d, data offset %d, slots %d and slot size %d", ErrCorrupt, g.Capacity, g.DataOffset, g.Slots, g.SlotSize)
		}
	default:
		return Geometry{}, fmt.Errorf("%w: mode %d", ErrCorrupt, uint64(g.Mode))
	}
	if fileSize != g.FileSize() {
		return Geometry{}, fmt.Errorf("%w: the file has %d bytes, the header says %d", ErrCorrupt, fileSize, g.FileSize())
	}
	return g, nil
}

// ring returns the geometry of the ring that g describes.
func (g Geometry) ring(pageSize uint64) (Geometry, error) {
	if !g.Fixed() {
		return RingGeometry(g.Capacity, g.Slots, pageSize)
	}
	if g.Capacity == 0 {
		return Geometry{}, fmt.Errorf("capacity 0 with slots of %d bytes", g.SlotSize)
	}
	return SlotGeometry(g.SlotSize, g.Capacity, g.Slots, g.Fingerprint, pageSize)
}
