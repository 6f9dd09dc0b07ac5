//go:build !amd64

package cpu

import "sync/atomic"

// Pause idles for about as long as n turns of a spin loop with a hint to the
// processor take, n at least 1.
func Pause(n uint32) {
	for range n * 8 {
		pauseWord.Load()
	}
}

var pauseWord atomic.Uint32

// PrefetchWrite does nothing on this processor.
func PrefetchWrite(*byte, int) {}

// PrefetchRead does nothing on this processor.
func PrefetchRead(*byte, int) {}
