package ring

import (
	"unsafe"

	"sluice/internal/cpu"
)

// slotMemory is where slots lie.
type slotMemory struct {
	base unsafe.Pointer
	mask uint64 // their number, a power of two, minus 1
	size uint64 // bytes of one
}

func newSlotMemory(mem Memory) slotMemory {
	g := mem.Geometry
	_ = mem.Data[g.Capacity-1] // all of them are there
	return slotMemory{unsafe.Pointer(unsafe.SliceData(mem.Data)), g.Capacity/g.SlotSize - 1, g.SlotSize}
}

// The functions below have no bound to check: the mask keeps a message within the slots, and a row
// of them does not go beyond the last one.

// bytesAt returns the slots of n messages from number pos on, which lie in a row.
func (m *slotMemory) bytesAt(pos, n uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(m.base, pos&m.mask*m.size)), n*m.size)
}

// maxPrefetch is how many bytes are prefetched at once, at most.
const maxPrefetch = 4096

// lines returns the lines of n messages from number pos on, n at least 1, up to maxPrefetch: the
// address of the first, and how many.
func (m *slotMemory) lines(pos, n uint64) (first *byte, lines int) {
	return (*byte)(unsafe.Add(m.base, pos&m.mask*m.size)), int((min(n*m.size, maxPrefetch) + 63) / 64)
}

// prefetchWrite asks for the lines of n messages from number pos on, n at least 1, to write them.
func (m *slotMemory) prefetchWrite(pos, n uint64) { cpu.PrefetchWrite(m.lines(pos, n)) }

// prefetchRead asks for the lines of n messages from number pos on, n at least 1, to read them.
func (m *slotMemory) prefetchRead(pos, n uint64) { cpu.PrefetchRead(m.lines(pos, n)) }

// valueAt returns the slot of message number pos as a T. Whoever made the end has checked that
// slots have the size of a T; they begin at a page.
func valueAt[T any](m *slotMemory, pos uint64) *T {
	return (*T)(unsafe.Add(m.base, pos&m.mask*uint64(unsafe.Sizeof(*(*T)(nil)))))
}

// valuesAt returns the slots of n messages from number pos on, which lie in a row.
func valuesAt[T any](m *slotMemory, pos, n uint64) []T {
	return unsafe.Slice(valueAt[T](m, pos), n)
}
