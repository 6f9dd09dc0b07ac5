//go:build !race

package shm

// cheapStoreReorders: the store of StoreRelease may still sit in the store
// buffer while a later load reads memory.
const cheapStoreReorders = true

// StoreRelease writes v to *p after all earlier loads and stores of this
// goroutine, and without waiting for it to become visible: a later load may
// overtake it.
//
//go:noescape
func StoreRelease(p *uint64, v uint64)

// Pause tells the processor n times that this is a spin loop, n at least 1.
//
//go:noescape
func Pause(n uint32)
