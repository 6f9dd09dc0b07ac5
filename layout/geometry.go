package layout

import (
	"fmt"
	"math/bits"
)

// Geometry is what is fixed about a segment when it is created.
type Geometry struct {
	Mode     Mode
	Capacity uint64 // bytes of ring, a power of two; 0 in transfer mode
	Slots    uint64 // maximum of messages in flight; 0 = limited by bytes only

	// DataOffset is where the data region starts, a multiple of the page
	// size; 0 in transfer mode.
	DataOffset uint64
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

// FileSize returns the bytes that a segment of this geometry takes on disk.
func (g Geometry) FileSize() int64 {
	if g.Mode == ModeRing {
		return int64(g.DataOffset + g.Capacity)
	}
	return HeaderSize
}

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
	if n := id.SlotSize.Load(); n != 0 {
		return Geometry{}, fmt.Errorf("%w: it has fixed slots of %d bytes, this program reads records only", ErrVersion, n)
	}
	if n := id.HeaderSize.Load(); n != HeaderSize {
		return Geometry{}, fmt.Errorf("%w: header size %d, want %d", ErrCorrupt, n, HeaderSize)
	}
	g := Geometry{
		Mode:       Mode(id.Mode.Load()),
		Capacity:   id.Capacity.Load(),
		Slots:      id.Slots.Load(),
		DataOffset: id.DataOffset.Load(),
	}
	switch g.Mode {
	case ModeRing:
		want, err := RingGeometry(g.Capacity, g.Slots, pageSize)
		if err != nil {
			return Geometry{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if g.DataOffset != want.DataOffset {
			return Geometry{}, fmt.Errorf("%w: data offset %d, want %d", ErrCorrupt, g.DataOffset, want.DataOffset)
		}
	case ModeTransfer:
		if g.Capacity != 0 || g.DataOffset != 0 || g.Slots > MaxCapacity {
			return Geometry{}, fmt.Errorf("%w: transfer mode with capacity %d, data offset %d and slots %d", ErrCorrupt, g.Capacity, g.DataOffset, g.Slots)
		}
	default:
		return Geometry{}, fmt.Errorf("%w: mode %d", ErrCorrupt, uint64(g.Mode))
	}
	if fileSize != g.FileSize() {
		return Geometry{}, fmt.Errorf("%w: the file has %d bytes, the header says %d", ErrCorrupt, fileSize, g.FileSize())
	}
	return g, nil
}
