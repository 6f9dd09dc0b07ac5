package ring

import (
	"testing"
	"unsafe"

	"sluice/layout"
)

// heapMemory and heapSlots return a ring on plain memory, where the race detector sees it.
func heapMemory(t failer, capacity, slots uint64) Memory {
	t.Helper()
	g, err := layout.RingGeometry(capacity, slots, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return plainMemory(g)
}

func heapSlots(t failer, size, capacity, slots uint64) Memory {
	t.Helper()
	g, err := layout.SlotGeometry(size, capacity, slots, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return plainMemory(g)
}

// plainMemory is that of a new ring of a geometry.
func plainMemory(g layout.Geometry) Memory {
	size := uint64(g.FileSize())
	if !g.Fixed() {
		size += g.Capacity
	}
	words := make([]uint64, (size+7)/8)
	all := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)
	h, err := layout.At(all)
	if err != nil {
		panic(err) // it is large enough, and begins at a word
	}
	h.Init(g, 1)
	return Memory{Header: h, Data: all[layout.HeaderSize:], Geometry: g}
}

// words is the header as the 64-bit words that a hostile peer may write to.
func words(h *layout.Header) []layout.Uint64 {
	return unsafe.Slice((*layout.Uint64)(unsafe.Pointer(h)), layout.HeaderSize/8)
}

// failer is what *testing.T, *testing.B and *rapid.T share.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var _ failer = (testing.TB)(nil)

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// bytesOf returns the memory of a value, nil for none.
func bytesOf[T any](v *T) []byte {
	if v == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// diaryIn returns the diary that lies in mapped memory.
func diaryIn(b []byte) *diary { return (*diary)(unsafe.Pointer(unsafe.SliceData(b))) }
