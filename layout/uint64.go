package layout

import "sync/atomic"

// Uint64 is a 64-bit field that more than one process may touch. It must not be
// copied; take its address inside a Header.
//
// The field's writer is the one side, or the holder of the role, that Header names for its
// part. Where nothing else is said, any process may call a method, from any goroutine.
type Uint64 struct{ v uint64 }

// Load reads the field with acquire ordering (sequentially consistent in Go).
func (u *Uint64) Load() uint64 { return atomic.LoadUint64(&u.v) }

// Store writes the field with sequential consistency. On amd64 that is an XCHG
// which drains the store buffer: fine for fields that change rarely. Only the field's writer
// calls it, from any of its goroutines.
func (u *Uint64) Store(v uint64) { atomic.StoreUint64(&u.v, v) }

// CompareAndSwap writes new if the field holds old, and reports whether it did.
// Either way it is a full fence. Any side may call it: of the fields of a Header, it is
// for SleepState.Flag, which both sides write.
func (u *Uint64) CompareAndSwap(old, new uint64) bool {
	return atomic.CompareAndSwapUint64(&u.v, old, new)
}

// AddRelaxed adds to a field that only the caller's side writes. It is a load and a
// store, not an atomic addition: the single writer makes that enough. One goroutine of the
// writer at a time may call it.
func (u *Uint64) AddRelaxed(d uint64) { u.StoreRelaxed(u.v + d) }

// Add adds to a field that several goroutines of one side write, in one atomic step. All of
// them have to use it, none AddRelaxed.
func (u *Uint64) Add(d uint64) { atomic.AddUint64(&u.v, d) }

// LoadRelaxed reads a field that only the caller's side writes: only the goroutine that
// writes it may call it.
func (u *Uint64) LoadRelaxed() uint64 { return u.v }
