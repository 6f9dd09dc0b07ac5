// Package layout is the binary interface of a sluice segment: where every
// field of the header lies, how a record in the ring is framed, and which
// values are valid. It has no behaviour: shm maps what it describes, internal/endpoint
// keeps the rules for its fields, ring and transfer move the indices, pressure reads
// the counters. docs/layout.md says the same for other languages, and a test keeps
// its table of fields equal to Header.
//
// All fields are little-endian and naturally aligned.
package layout

// Sizes and limits of a segment, in bytes unless said otherwise.
const (
	// HeaderSize is the length of the header at offset 0. The data region
	// starts at the next page boundary of the creating machine.
	HeaderSize = 65536

	// Version of this layout. A reader refuses every other one.
	Version = 8

	// MinCapacity and MaxCapacity bound the ring. The upper bound keeps the
	// low 32 bits of an index, which are the futex word, from repeating
	// while one side sleeps.
	MinCapacity = 4096
	MaxCapacity = 1 << 31

	// MaxSlotBytes bounds the bytes of a ring with fixed slots. Their index counts slots,
	// of which there are MaxCapacity at most.
	MaxSlotBytes = 1 << 40

	// DefaultCapacity is the capacity of a ring when none is given.
	DefaultCapacity = 1 << 20
)

// Magic is the first word of every segment: "sluice\r\n" in memory order. The
// line ending catches files that went through a text-mode copy.
const Magic uint64 = 's' | 'l'<<8 | 'u'<<16 | 'i'<<24 | 'c'<<32 | 'e'<<40 | '\r'<<48 | '\n'<<56
