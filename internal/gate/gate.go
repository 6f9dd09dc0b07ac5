// Package gate shuts one goroutine out of what it shares with another, without a fence in the
// calls of the first.
package gate

import (
	"time"

	"sluice/internal/membarrier"
	"sluice/layout"
)

// Gate lets any goroutine end the calls of another one, and wait until that one no longer uses
// what the two share. One goroutine, the user, passes the gate with every call that it makes;
// Close lets no further call pass, and Wait waits for the one that is under way.
//
//	func (e *End) Call() error {           func (e *End) Close() {
//		e.gate.Enter()                         e.gate.Close()
//		defer e.gate.Leave()                   wake a call that sleeps
//		if e.gate.Closed() {                   if e.gate.Wait(timeout) {
//			return ErrClosed                       // no call is under way, nor will be
//		}                                      }
//		...                                }
//	}
//
// A call costs the user two plain stores and a load, and no fence. The ordering that
// Wait needs is: either the call finds the gate closed, or Wait finds the call under way.
//
//	call                                   closer
//	C1 store inside = 1                    K1 store closed = 1
//	C2 load closed: 1? then return         K2 barrier
//	C3 use what is shared                  K3 load inside, until it is 0
//	C4 store inside = 0                    K4 nobody uses what is shared
//
// A processor may do the load C2 before the store C1 is visible, and only that could break
// the ordering. As with publishing and sleeping, the rare side issues the fence for both
// (membarrier.Private): a C2 that comes after it finds closed = 1; if C2 came before it, so
// did C1, in program order, and K3 finds inside = 1. Where the kernel has no such barrier,
// Wait waits for a millisecond: a store buffer empties by itself in far less. Where a release
// store is never overtaken (layout.StoreReleaseOvertaken), neither is needed.
//
// C4 is a release store and K3 an acquiring load, so all of C3 comes before K4. The same
// argument holds for a call that checks something else than Closed, such as a bound that the
// closer sets to 0 between K1 and K2. A call that finds the gate closed sets that bound
// itself, because the closer may lose its processor between K1 and the store of the bound.
//
// The zero value is open.
type Gate struct {
	inside layout.Uint64 // 1 while a call of the user's is under way
	closed layout.Uint64 // 1 from Close on
}

// Enter begins a call of the user's. The call checks Closed next.
func (g *Gate) Enter() { g.inside.StoreRelease(1) }

// Leave ends a call: from here on it uses nothing that a closer may use. A call that can panic
// or fault defers it, because Wait would otherwise wait for that call until its timeout.
func (g *Gate) Leave() { g.inside.StoreRelease(0) }

// Closed reports whether Close was called. Any goroutine may ask.
func (g *Gate) Closed() bool { return g.closed.Load() != 0 }

// Close lets no further call in, for good. Any goroutine may call it.
func (g *Gate) Close() { g.closed.Store(1) }

// CloseTimeout is for Wait in the Close of an end. When it is over, a ring treats the call as
// killed, which can lose a message that the call reports as sent; so it is more than a thread waits
// for a processor on a loaded machine. With 100 ms, 11 of 20 copies of a test that ran at once on
// two cores saw that.
const CloseTimeout = 10 * time.Second

// Wait waits until no call is under way that has not found the gate closed, for timeout at most,
// and reports whether that is so. Any goroutine may call it after Close, except the user within
// a call.
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
