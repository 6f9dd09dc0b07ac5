//go:build race

package layout

import "sync/atomic"

// StoreRelaxed is a plain store outside the race detector; under it, the detector
// has to be told that the store is one.
func (u *Uint64) StoreRelaxed(v uint64) { atomic.StoreUint64(&u.v, v) }
