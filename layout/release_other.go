//go:build !amd64 || !gc || race

package layout

import "sync/atomic"

// StoreReleaseOvertaken says whether a load that follows StoreRelease may be done before
// that store is visible to others. Go's atomics do not allow it: on
// arm64, for one, they are STLR and LDAR, which are ordered with each other.
const StoreReleaseOvertaken = false

// StoreRelease writes the field after all earlier loads and stores of this
// goroutine. One goroutine of the field's writer at a time may call it.
func (u *Uint64) StoreRelease(v uint64) { atomic.StoreUint64(&u.v, v) }
