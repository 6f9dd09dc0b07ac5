package shm

// Pause tells the processor n times, n at least 1, that this is a spin loop.
// One PAUSE takes 10 to 60 ns, depending on the processor.
//
//go:noescape
func Pause(n uint32)
