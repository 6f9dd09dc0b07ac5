// Package gate shuts one goroutine out of what it shares with another, without a fence in the
// calls of the first.
package gate

import (
	"time"

	"sluice/internal/membarrier"
	"sluice/layout"
)

// Gate lets any goroutine end what another one does, and wait until it no longer touches
// what the two share. One goroutine, the user, passes through it with every call that it
// makes; Close lets no further call in, and Wait waits for the one that is inside.
//
//	func (e *End) Call() error {           func (e *End) Close() {
//		e.gate.Enter()                         e.gate.Close()
//		defer e.gate.Leave()                   wake a call that sleeps
//		if e.gate.Closed() {                   if e.gate.Wait(timeout)  {
//			return ErrClosed                         // no call is inside, nor will be
//		}                                      }
//		...                                }
//	}
//
// The user pays two plain stores and a load for a call, and no fence. The ordering that
// Wait needs is: either the call finds the gate closed, or Wait finds it inside.
//
//	call                                   closer
//	C1 store inside = 1                    K1 store closed = 1
//	C2 load closed: 1? then turn back      K2 barrier
//	C3 work on what is shared              K3 load inside, until it is 0
//	C4 store inside = 0                    K4 nobody works on what is shared
//
// A processor may do the load C2 before the store C1 is visible, and only that can go
// wrong. As with publish and sleep, the rare side issues the fence for both
// (membarrier.Private): when C2 comes after it, C2 finds closed = 1; when C2 came before it,
// so did C1, in the order of the program, and K3 finds inside = 1. Where there is no
// barrier to be had, Wait waits for a millisecond: a store buffer empties by itself, in
// far less. Where a release store is never overtaken (layout.ReleaseOvertaken), neither is
// needed.
//
// C4 is a release store and K3 an acquiring load, so all of C3 comes before K4. A call
// that lets something else than Closed turn it back, as a bound that the closer sets to
// 0 between K1 and K2, is under the same argument: that bound takes the place of closed.
// A call that finds the gate closed sets such a bound itself, for the closer may lose its
// processor between K1 and the bound.
//
// The zero value is open.
type Gate struct {
	inside layout.Uint64 // 1 while a call of the user's is under way
	closed layout.Uint64 // 1 from Close on
}

// Enter says that a call of the user's begins. What comes next is a look at Closed.
func (g *Gate) Enter() { g.inside.StoreRelease(1) }

// Leave says that the call touches nothing any more that a closer may touch. A call that
// can panic, or fault, defers it: else Wait waits for that call in vain.
func (g *Gate) Leave() { g.inside.StoreRelease(0) }

// Closed reports whether Close was called. Any goroutine may ask.
func (g *Gate) Closed() bool { return g.closed.Load() != 0 }

// Close lets no further call in, for good. Any goroutine may call it.
func (g *Gate) Close() { g.closed.Store(1) }

// Wait waits until no call is inside that has not found the gate closed, for as long as
// timeout, and reports whether that is so. Any goroutine but the user in a call may call
// it, after Close.
func (g *Gate) Wait(timeout time.Duration) bool {
	if layout.StoreReleaseOvertaken && !membarrier.Private() {
		time.Sleep(time.Millisecond)
	}
	deadline := time.Now().Add(timeout)
	for pause := time.Microsecond; g.inside.Load() != 0; pause = min(2*pause, time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}
