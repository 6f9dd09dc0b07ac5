//go:build !amd64 || race

package shm

import "sync/atomic"

// cheapStoreReorders: Go's atomics are the best there is here. On arm64 they
// compile to STLR and LDAR, which are ordered with each other, so StoreRelease
// followed by a load needs no further fence. Under the race detector they are
// what it understands.
const cheapStoreReorders = false

// StoreRelease writes v to *p after all earlier loads and stores of this
// goroutine.
func StoreRelease(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// Pause idles for about n turns of a spin loop.
func Pause(n uint32) {
	for ; n > 0; n-- {
		pauseWord.Load()
	}
}

var pauseWord atomic.Uint32
