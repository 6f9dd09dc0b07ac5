package main

import "unsafe"

// bytesOf returns the bytes of a value. T has no pointers, or there would be no ring of it.
func bytesOf[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}
