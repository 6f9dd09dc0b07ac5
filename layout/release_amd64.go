//go:build gc && !race

package layout

// StoreReleaseOvertaken says whether a load that follows StoreRelease may be done before
// that store is visible to others.
const StoreReleaseOvertaken = true

// StoreRelease writes the field after all earlier loads and stores of this
// goroutine, and does not wait until the store is visible: a later load may
// overtake it. One goroutine of the field's writer at a time may call it.
//
// A MOV is enough on amd64, where stores become visible in program
// order and never before older loads are done (Intel SDM volume 3, 9.2.3). Go's
// own atomic store is an XCHG, which waits for the store buffer to drain. The
// gc compiler, which the build tag asks for, keeps the stores of a function in
// the order of the source: they are threaded through one chain of memory
// states, and loads are tied to the state they were written in. An assembly
// function would do the same and costs a nanosecond a call, because it cannot
// be inlined (docs/protocol.md has the figures).
func (u *Uint64) StoreRelease(v uint64) { u.v = v }
