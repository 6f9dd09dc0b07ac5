package layout

import (
	"encoding/binary"
	"errors"
	"testing"
)

const page = 4096

func ring(t *testing.T, capacity, slots, pageSize uint64) Geometry {
	t.Helper()
	g, err := RingGeometry(capacity, slots, pageSize)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func slots(t *testing.T, size, capacity, slots uint64) Geometry {
	t.Helper()
	g, err := SlotGeometry(size, capacity, slots, 7, page)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestInit_Geometry_ReadBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		g        Geometry
		fileSize int64
		pageSize uint64
	}{
		{"the smallest ring", ring(t, 4096, 0, page), 65536 + 4096, page},
		{"a ring with slots", ring(t, 1<<20, 64, page), 65536 + 1<<20, page},
		{"the largest ring", ring(t, MaxCapacity, MaxCapacity, page), 65536 + 1<<31, page},
		{"a ring on large pages", ring(t, 1<<16, 0, 1<<16), 1<<16 + 1<<16, 1 << 16},
		{"fixed slots", slots(t, 24, 0, 100), 65536 + 4096, page},
		{"eight slots of 4 bytes", slots(t, 4, 0, 8), 65536 + 4096, page},
		{"one slot of 1 MiB", slots(t, 1<<20, 0, 0), 65536 + 1<<20, page},
		{"the most slots", slots(t, 1, 0, MaxCapacity), 65536 + 1<<31, page},
		{"the most bytes of slots", slots(t, 1<<20, MaxSlotBytes, 0), 65536 + 1<<40, page},
		{"a transfer", Geometry{Mode: ModeTransfer, Slots: 5}, 65536, page},
	} {
		var h Header
		h.Init(c.g, 1234)
		got, err := h.Geometry(c.fileSize, c.pageSize)
		if err != nil || got != c.g {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.g)
		}
		if c.g.FileSize() != c.fileSize {
			t.Errorf("%s: FileSize %d, want %d", c.name, c.g.FileSize(), c.fileSize)
		}
		if at := h.Identity.CreatedAt.Load(); at != 1234 {
			t.Errorf("%s: created at %d", c.name, at)
		}
	}
}

// Every word of a new header that is not 0, for each kind of segment.
func TestInit_BytesAsDocumented(t *testing.T) {
	const magic = "sluice\r\n"
	for _, c := range []struct {
		name string
		g    Geometry
		want map[int]uint64
	}{
		{"records", ring(t, 1<<20, 64, page), map[int]uint64{
			0x08: 8, 0x10: 65536, 0x18: 1, 0x20: 1 << 20, 0x28: 64, 0x30: 65536, 0x38: 1234,
		}},
		{"fixed slots", slots(t, 24, 0, 100), map[int]uint64{
			0x08: 8, 0x10: 65536, 0x18: 1, 0x20: 128 * 24, 0x28: 100, 0x30: 65536, 0x38: 1234, 0x40: 24, 0x48: 7,
		}},
		{"a transfer", Geometry{Mode: ModeTransfer, Slots: 5}, map[int]uint64{
			0x08: 8, 0x10: 65536, 0x18: 2, 0x28: 5, 0x38: 1234,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := make([]byte, HeaderSize)
			h, err := At(b)
			if err != nil {
				t.Fatal(err)
			}
			h.Init(c.g, 1234)
			if string(b[:8]) != magic {
				t.Errorf("the file begins with %q", b[:8])
			}
			for at := len(magic); at < len(b); at += 8 {
				if got := binary.LittleEndian.Uint64(b[at:]); got != c.want[at] {
					t.Errorf("%#x: %d, want %d", at, got, c.want[at])
				}
			}
		})
	}
}

func TestHeader_BytesAsDocumented(t *testing.T) {
	b := make([]byte, HeaderSize)
	h, err := At(b)
	if err != nil {
		t.Fatal(err)
	}
	h.Producer.Index.Store(5)
	h.Latency.Buckets[LatencyBuckets-1].Store(6)
	for at, want := range map[int]uint64{0x100: 5, 0x1080 + 8*(41*16-1): 6} {
		if got := binary.LittleEndian.Uint64(b[at:]); got != want {
			t.Errorf("%#x: %d, want %d", at, got, want)
		}
	}
}

func TestGeometry_BadHeader_Refused(t *testing.T) {
	good := ring(t, 1<<16, 8, page)
	for _, c := range []struct {
		name   string
		want   error
		change func(id *Identity)
	}{
		{"zeros", ErrNotSegment, func(id *Identity) { *id = Identity{} }},
		{"another magic", ErrNotSegment, func(id *Identity) { id.Magic.Store(Magic ^ 1<<63) }},
		{"line ends of a text-mode copy", ErrNotSegment, func(id *Identity) { id.Magic.Store(Magic &^ (0xff << 48)) }},
		{"another magic and another version", ErrNotSegment, func(id *Identity) { id.Magic.Store(1); id.Version.Store(Version + 1) }},
		{"an older version", ErrVersion, func(id *Identity) { id.Version.Store(Version - 1) }},
		{"a newer version", ErrVersion, func(id *Identity) { id.Version.Store(Version + 1) }},
		{"a newer version with a longer header", ErrVersion, func(id *Identity) { id.Version.Store(Version + 1); id.HeaderSize.Store(16384) }},
		{"slots that are no power of two", ErrCorrupt, func(id *Identity) { id.SlotSize.Store(24) }},
		{"a slot that is larger than the ring", ErrCorrupt, func(id *Identity) { id.SlotSize.Store(1 << 17) }},
		{"more slots than an index tells apart", ErrCorrupt, func(id *Identity) { id.SlotSize.Store(1); id.Capacity.Store(1 << 32) }},
		{"more bytes of slots than the most", ErrCorrupt, func(id *Identity) { id.SlotSize.Store(1 << 31); id.Capacity.Store(1 << 62) }},
		{"a slot size that makes the product overflow", ErrCorrupt, func(id *Identity) { id.SlotSize.Store(1 << 63) }},
		{"fixed slots without a capacity", ErrCorrupt, func(id *Identity) { id.SlotSize.Store(8); id.Capacity.Store(0) }},
		{"a transfer with fixed slots", ErrCorrupt, func(id *Identity) {
			id.Mode.Store(2)
			id.Capacity.Store(0)
			id.DataOffset.Store(0)
			id.SlotSize.Store(8)
		}},
		{"another header size", ErrCorrupt, func(id *Identity) { id.HeaderSize.Store(4096) }},
		{"no mode", ErrCorrupt, func(id *Identity) { id.Mode.Store(0) }},
		{"an unknown mode", ErrCorrupt, func(id *Identity) { id.Mode.Store(3) }},
		{"no capacity", ErrCorrupt, func(id *Identity) { id.Capacity.Store(0) }},
		{"a capacity that is no power of two", ErrCorrupt, func(id *Identity) { id.Capacity.Store(3 << 14) }},
		{"a capacity below the least", ErrCorrupt, func(id *Identity) { id.Capacity.Store(2048) }},
		{"a capacity above the most", ErrCorrupt, func(id *Identity) { id.Capacity.Store(1 << 32) }},
		{"a capacity that makes the size overflow", ErrCorrupt, func(id *Identity) { id.Capacity.Store(1 << 63) }},
		{"too many slots", ErrCorrupt, func(id *Identity) { id.Slots.Store(MaxCapacity + 1) }},
		{"data over the header", ErrCorrupt, func(id *Identity) { id.DataOffset.Store(0) }},
		{"data between two pages", ErrCorrupt, func(id *Identity) { id.DataOffset.Store(65544) }},
		{"data behind the next page", ErrCorrupt, func(id *Identity) { id.DataOffset.Store(69632) }},
		{"a transfer with a capacity", ErrCorrupt, func(id *Identity) { id.Mode.Store(2); id.DataOffset.Store(0) }},
		{"a transfer with too many slots", ErrCorrupt, func(id *Identity) {
			id.Mode.Store(2)
			id.Capacity.Store(0)
			id.DataOffset.Store(0)
			id.Slots.Store(MaxCapacity + 1)
		}},
		{"a transfer with a data region", ErrCorrupt, func(id *Identity) { id.Mode.Store(2); id.Capacity.Store(0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Header
			h.Init(good, 0)
			c.change(&h.Identity)
			// The size fits what the header says now, so that it is not what fails.
			said := Geometry{
				Mode:       Mode(h.Identity.Mode.Load()),
				Capacity:   h.Identity.Capacity.Load(),
				DataOffset: h.Identity.DataOffset.Load(),
				SlotSize:   h.Identity.SlotSize.Load(),
			}
			if g, err := h.Geometry(said.FileSize(), page); !errors.Is(err, c.want) || g != (Geometry{}) {
				t.Errorf("got %+v, %v; want %v", g, err, c.want)
			}
		})
	}
}

func TestGeometry_FileSize_Refused(t *testing.T) {
	for _, g := range []Geometry{ring(t, 1<<16, 0, page), {Mode: ModeTransfer}} {
		var h Header
		h.Init(g, 0)
		for _, size := range []int64{0, HeaderSize - 1, g.FileSize() - 1, g.FileSize() + 1, g.FileSize() + page} {
			if _, err := h.Geometry(size, page); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v of %d bytes in a file of %d: %v", g.Mode, g.FileSize(), size, err)
			}
		}
	}
}

func TestGeometry_OtherPageSize_Refused(t *testing.T) {
	var h Header
	g := ring(t, 1<<17, 0, page)
	h.Init(g, 0)
	if _, err := h.Geometry(g.FileSize(), 1<<17); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

func TestRingGeometry_Limits(t *testing.T) {
	for _, c := range []struct {
		capacity, slots, pageSize uint64
		ok                        bool
	}{
		{4096, 0, page, true},
		{MaxCapacity, MaxCapacity, page, true},
		{1 << 14, 0, 1 << 14, true},
		{0, 0, page, false},
		{2048, 0, page, false},
		{2048, 0, 1024, false},
		{4097, 0, page, false},
		{3 << 12, 0, page, false},
		{1 << 13, 0, 1 << 14, false},
		{2 * MaxCapacity, 0, page, false},
		{4096, MaxCapacity + 1, page, false},
	} {
		g, err := RingGeometry(c.capacity, c.slots, c.pageSize)
		if c.ok != (err == nil) {
			t.Errorf("RingGeometry(%d, %d, %d): %v", c.capacity, c.slots, c.pageSize, err)
		}
		want := Geometry{Mode: ModeRing, Capacity: c.capacity, Slots: c.slots, DataOffset: max(65536, c.pageSize)}
		if c.ok && g != want || !c.ok && g != (Geometry{}) {
			t.Errorf("RingGeometry(%d, %d, %d) = %+v", c.capacity, c.slots, c.pageSize, g)
		}
	}
}

func TestSlotGeometry_NumberOfSlots(t *testing.T) {
	for _, c := range []struct {
		size, capacity, slots uint64
		number, inFlight      uint64 // 0 = refused
	}{
		{8, 0, 0, 1 << 17, 1 << 17},
		{1, 0, 0, 1 << 20, 1 << 20},
		{24, 0, 0, 1 << 15, 1 << 15},
		{4, 0, 8, 8, 8},
		{4, 0, 1, 1, 1},
		{4, 0, 9, 16, 9},
		{1 << 20, 0, 0, 1, 1},
		{3 << 20, 0, 0, 1, 1},
		{8, 1 << 20, 100, 1 << 17, 100},
		{8, 100, 0, 8, 8},
		{8, 100, 100, 8, 8},
		{8, 8, 0, 1, 1},
		{1, 1 << 31, 0, 1 << 31, 1 << 31},
		{0, 0, 8, 0, 0},
		{8, 7, 0, 0, 0},
		{MaxCapacity + 1, 0, 1, 0, 0},
		{1, 1 << 32, 0, 0, 0},
		{1 << 20, 0, MaxCapacity, 0, 0},
		{1 << 20, 2 * MaxSlotBytes, 0, 0, 0},
		{8, 0, MaxCapacity + 1, 0, 0},
	} {
		g, err := SlotGeometry(c.size, c.capacity, c.slots, 7, page)
		if (err == nil) != (c.number > 0) {
			t.Errorf("SlotGeometry(%d, %d, %d): %v", c.size, c.capacity, c.slots, err)
		} else if err == nil && (g.Capacity != c.number*c.size || g.MaxMessages() != c.inFlight || g.MaxMessage() != c.size) {
			t.Errorf("SlotGeometry(%d, %d, %d): %+v, %d messages in flight", c.size, c.capacity, c.slots, g, g.MaxMessages())
		}
	}
}

func TestAt_MemoryTooSmall_Error(t *testing.T) {
	b := make([]byte, HeaderSize+8)
	for name, b := range map[string][]byte{
		"nothing": nil, "one byte too few": b[:HeaderSize-1], "not aligned": b[4 : HeaderSize+4],
	} {
		if h, err := At(b); !errors.Is(err, ErrNotSegment) || h != nil {
			t.Errorf("%s: %p, %v", name, h, err)
		}
	}
	if _, err := At(b[8:]); err != nil {
		t.Error(err)
	}
}
