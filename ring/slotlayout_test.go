package ring

import (
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// The bytes of the file, as docs/layout.md describes fixed slots: a slot for each message, and of
// the two cursors Index and Samples alone.
func TestSlots_BytesAsDocumented(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := CreateOf[[3]uint32](t.Context(), name, WriterOptions{Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := OpenOf[[3]uint32](t.Context(), name, ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range uint32(6) { // so that two slots are used again
		if err := w.Push(t.Context(), [3]uint32{i, 10 * i, 100 * i}); err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			if _, err := r.Pop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}

	file, err := os.ReadFile(shm.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	if len(file) != 65536+4096 {
		t.Errorf("the file has %d bytes", len(file))
	}
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(file[at:]) }
	for at, want := range map[int]uint64{
		0x18: 1, 0x20: 4 * 12, 0x28: 4, 0x30: 65536, 0x40: 12, 0x48: layout.Fingerprint("u32[3]"),
		0x100: 6, 0x108: 0, 0x110: 0, 0x118: 0, 0x120: 0, // Producer
		0x180: 4, 0x188: 0, 0x190: 0, 0x198: 0, 0x1a0: 0, // Consumer
		0x8000: 0, // the first sample is message 0
	} {
		if got := word(at); got != want {
			t.Errorf("%#x: %d, want %d", at, got, want)
		}
	}
	if word(0x128) == 0 || word(0x8010) == 0 {
		t.Errorf("%d samples, the first published at %d", word(0x128), word(0x8010))
	}
	var slots []uint32
	for at := 65536; at < 65536+4*12; at += 4 {
		slots = append(slots, binary.LittleEndian.Uint32(file[at:]))
	}
	if want := []uint32{4, 40, 400, 5, 50, 500, 2, 20, 200, 3, 30, 300}; !slices.Equal(slots, want) {
		t.Errorf("slots %v, want %v", slots, want)
	}
}
