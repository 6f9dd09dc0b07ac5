package layout

import "sync/atomic"

// Uint64 is a 64-bit field that more than one process may touch. It must not be
// copied; take its address inside a Header.
type Uint64 struct{ v uint64 }

// Load reads the field with acquire ordering (sequentially consistent in Go).
func (u *Uint64) Load() uint64 { return atomic.LoadUint64(&u.v) }

// Store writes the field with sequential consistency. On amd64 that is an XCHG
// which drains the store buffer: fine for fields that change rarely.
func (u *Uint64) Store(v uint64) { atomic.StoreUint64(&u.v, v) }

// CompareAndSwap writes new if the field holds old, and reports whether it did.
// Either way it is a full fence.
func (u *Uint64) CompareAndSwap(old, new uint64) bool {
	return atomic.CompareAndSwapUint64(&u.v, old, new)
}

// AddRelaxed adds to a field that only the caller's side writes. It is a load and a
// store, not an atomic addition: the single writer makes that enough.
func (u *Uint64) AddRelaxed(d uint64) { u.StoreRelaxed(u.v + d) }

// Add adds to a field that several goroutines of one side write, in one atomic step.
func (u *Uint64) Add(d uint64) { atomic.AddUint64(&u.v, d) }

// LoadRelaxed reads a field that only the caller's side writes.
func (u *Uint64) LoadRelaxed() uint64 { return u.v }
