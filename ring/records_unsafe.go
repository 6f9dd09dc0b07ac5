package ring

import (
	"encoding/binary"
	"unsafe"

	"sluice/layout"
)

// recordMemory is where records lie: twice the capacity, so that a record may begin anywhere in the
// first half.
type recordMemory struct {
	base unsafe.Pointer
	mask uint64 // capacity - 1
}

func newRecordMemory(mem Memory) recordMemory {
	g := mem.Geometry
	_ = mem.Data[2*g.Capacity-1] // all of it is there
	return recordMemory{unsafe.Pointer(unsafe.SliceData(mem.Data)), g.Capacity - 1}
}

// The functions below check no bounds: the mask keeps the header of a record in the first half, and
// callers make sure that a record is no larger than the capacity.

// header returns the header of the record at an index, a multiple of 8.
func (m *recordMemory) header(index uint64) *uint64 {
	return (*uint64)(unsafe.Add(m.base, index&m.mask))
}

// payload returns the n bytes behind the header of the record at an index.
func (m *recordMemory) payload(index uint64, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(m.base, index&m.mask+layout.RecordHeader)), n)
}

// copyTo makes msg the record at an index.
func (m *recordMemory) copyTo(index uint64, msg []byte) {
	*m.header(index) = uint64(len(msg))
	if len(msg) == 8 { // most of what a call to memmove costs
		*(*uint64)(unsafe.Add(m.base, index&m.mask+layout.RecordHeader)) = binary.NativeEndian.Uint64(msg)
		return
	}
	copy(m.payload(index, len(msg)), msg)
}
