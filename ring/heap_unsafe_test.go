package ring

import (
	"testing"
	"unsafe"

	"sluice/layout"
)

// heapMemory returns a ring on plain memory, where the race detector sees it.
func heapMemory(t testing.TB, capacity, slots uint64) Memory {
	t.Helper()
	g, err := layout.NewRing(capacity, slots, 4096)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, (layout.HeaderSize+2*capacity)/8)
	all := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	h, err := layout.At(all)
	if err != nil {
		t.Fatal(err)
	}
	h.Init(g, 1)
	return Memory{Header: h, Data: all[layout.HeaderSize:], Geometry: g}
}
