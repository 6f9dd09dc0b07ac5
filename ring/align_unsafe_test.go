package ring

import (
	"testing"
	"unsafe"

	"sluice/internal/testenv"
	"sluice/layout"
)

// Whoever lays a struct of 64-bit numbers over a message may count on it: at every offset
// of the ring, and across its end.
func TestMessages_AlignedTo8(t *testing.T) {
	name := testenv.SegmentName(t)
	w, r := create(t, name, WriterOptions{Capacity: layout.MinCapacity}), open(t, name, ReaderOptions{})
	aligned := func(what string, b []byte) {
		t.Helper()
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(b))); at%8 != 0 {
			t.Fatalf("%s of %d bytes at %#x", what, len(b), at)
		}
	}
	const offsets = layout.MinCapacity / 8
	seen := map[uint64]bool{}
	for i := 0; len(seen) < offsets; i++ {
		if i == 1_000_000 {
			t.Fatalf("records began at %d different offsets, of %d", len(seen), offsets)
		}
		n := 1 + i%61
		at := w.tail & w.mask
		reserve := func() ([]byte, error) { return w.Reserve(t.Context(), n) }
		if i%2 == 0 {
			reserve = func() ([]byte, error) { return w.TryReserve(n) }
		}
		room, err := reserve()
		if err != nil {
			t.Fatal(err)
		}
		seen[at] = true
		aligned("room", room)
		w.Commit(n)
		w.Publish()
		for _, next := range []func() ([]byte, error){
			func() ([]byte, error) { return r.Next(t.Context()) },
			func() ([]byte, error) { return r.Take(t.Context()) },
			r.TryNext,
		}[i%3:][:1] {
			msg, err := next()
			if err != nil || len(msg) != n {
				t.Fatalf("%d bytes, %v; want %d", len(msg), err, n)
			}
			aligned("message", msg)
			r.Release()
		}
	}
}
