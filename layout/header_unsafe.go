package layout

import (
	"fmt"
	"unsafe"
)

// At lays a Header over the start of b. The result aliases b and is valid as
// long as b is mapped.
//
// It fails when b is shorter than HeaderSize or not 8-byte aligned; it looks at
// no value in b. Call Geometry before trusting any.
func At(b []byte) (*Header, error) {
	if len(b) < HeaderSize {
		return nil, fmt.Errorf("%w: %d bytes, a header has %d", ErrNotSegment, len(b), HeaderSize)
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%8 != 0 {
		return nil, fmt.Errorf("%w: header memory is not 8-byte aligned", ErrNotSegment)
	}
	return (*Header)(p), nil
}

// Futex returns the low 32 bits of u, the word that sleepers wait on.
// Little-endian machines keep them at the address of u.
func (u *Uint64) Futex() *uint32 { return (*uint32)(unsafe.Pointer(&u.v)) }
