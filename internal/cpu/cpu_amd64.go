package cpu

// Pause tells the processor n times, n at least 1, that this is a spin loop.
// One PAUSE takes 10 to 60 ns, depending on the processor.
//
//go:noescape
func Pause(n uint32)

// PrefetchWrite asks for n cache lines of 64 bytes, n at least 1, from p on, to
// be brought here for writing. It is a hint: it waits for nothing and faults
// on nothing.
//
//go:noescape
func PrefetchWrite(p *byte, n int)

// PrefetchRead asks for n cache lines of 64 bytes, n at least 1, from p on, to be brought here for
// reading. It is a hint, as PrefetchWrite is.
//
//go:noescape
func PrefetchRead(p *byte, n int)
