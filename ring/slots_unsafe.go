package ring

import "unsafe"

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

// valueAt returns the slot of message number pos as a T. Whoever made the end has checked that
// slots have the size of a T; they begin at a page. It takes the fields of a slotMemory so that its
// callers inline.
func valueAt[T any](m *slotMemory, pos uint64) *T {
	return (*T)(unsafe.Add(m.base, pos&m.mask*uint64(unsafe.Sizeof(*(*T)(nil)))))
}

// valuesAt returns the slots of n messages from number pos on, which lie in a row.
func valuesAt[T any](m *slotMemory, pos, n uint64) []T {
	return unsafe.Slice(valueAt[T](m, pos), n)
}
