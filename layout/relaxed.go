//go:build !race

package layout

// StoreRelaxed writes a field that only the caller's side writes and whose order
// against other fields is given by a later StoreRelease. An aligned 8-byte store is
// one instruction on every 64-bit machine, so nobody reads half of it. One goroutine of the
// field's writer at a time may call it.
func (u *Uint64) StoreRelaxed(v uint64) { u.v = v }
