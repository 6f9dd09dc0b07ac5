package ring

import "unsafe"

// slotsOf returns where the slots of mem begin.
func slotsOf(mem Memory) unsafe.Pointer {
	_ = mem.Data[mem.Geometry.Capacity-1]
	return unsafe.Pointer(unsafe.SliceData(mem.Data))
}

// The functions below have no bound to check: the mask keeps a message within the slots, of which
// there are mask+1, and a window does not go beyond the last of them.

// slot returns the slot of message number pos.
func (w *slotWriter) slot(pos uint64) unsafe.Pointer {
	return unsafe.Add(w.base, pos&w.mask*w.size)
}

// bytesAt returns the slots of n messages from number pos on, which lie in a row.
func bytesAt(base unsafe.Pointer, pos, n, mask, size uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(base, pos&mask*size)), n*size)
}

// valueAt returns the slot of message number pos as a T. An init of its end has checked that slots
// have the size of a T; they begin at a page.
func valueAt[T any](base unsafe.Pointer, pos, mask uint64) *T {
	return (*T)(unsafe.Add(base, pos&mask*uint64(unsafe.Sizeof(*(*T)(nil)))))
}

// valuesAt returns the slots of n messages from number pos on, which lie in a row.
func valuesAt[T any](base unsafe.Pointer, pos, n, mask uint64) []T {
	return unsafe.Slice(valueAt[T](base, pos, mask), n)
}
