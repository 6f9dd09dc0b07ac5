package gate

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/cpu"
	"sluice/layout"
)

// A call is made and the gate closed at the same moment, again and again, with stores
// that have to queue before the one that counts. If the call gets in, what it does is
// done when Wait returns; nobody but the gate orders the two. Without the barrier in
// Wait about one round in a few hundred fails.
func TestGate_CloseWaitsForCallInside(t *testing.T) {
	const rounds = 20_000
	type meeting struct {
		gate       Gate
		work       uint64 // by the call
		in, closer atomic.Bool
		seen       bool // the closer has seen the work
	}
	all := make([]meeting, rounds)
	var contended [64 * 8]layout.Uint64 // on a line each
	contend := func(n int) {
		for i := 0; i < len(contended); i += 8 {
			contended[i].StoreRelaxed(uint64(n))
		}
	}
	var user, closer atomic.Int64
	deadline := time.Now().Add(2 * time.Second) // enough rounds on a busy machine
	var stop atomic.Bool
	// together runs play for round after round, in step with the other side.
	together := func(me, other *atomic.Int64, play func(m *meeting, n int)) func() {
		return func() {
			for n := range all {
				me.Store(int64(n + 1))
				for spins := 1; other.Load() <= int64(n); spins++ {
					if stop.Load() {
						return
					}
					if spins%10_000 == 0 {
						runtime.Gosched()
					}
				}
				play(&all[n], n)
				stop.CompareAndSwap(false, time.Now().After(deadline))
			}
		}
	}
	var both sync.WaitGroup
	both.Go(together(&user, &closer, func(m *meeting, n int) {
		contend(n)
		m.gate.Enter()
		if !m.gate.Closed() {
			cpu.Pause(10)
			m.work = 1
			m.in.Store(true)
		}
		m.gate.Leave()
	}))
	both.Go(together(&closer, &user, func(m *meeting, n int) {
		contend(n)
		m.gate.Close()
		if !m.gate.Wait(time.Minute) {
			t.Error("a short call does not end")
		}
		m.seen = m.work == 1
		m.closer.Store(true)
	}))
	both.Wait()
	in, played := 0, 0
	for n := range all {
		m := &all[n]
		if !m.closer.Load() {
			break
		}
		played++
		if m.in.Load() {
			in++
		}
		if m.in.Load() && !m.seen {
			t.Fatalf("round %d: a call is inside, and was not waited for", n)
		}
	}
	t.Logf("%d rounds, in %d of them the call came first", played, in)
}

func TestGate_Wait_WaitsForCallInside(t *testing.T) {
	var g Gate
	g.Enter()
	g.Close()
	if g.Wait(time.Millisecond) {
		t.Error("it does not see that a call is inside")
	}
	done := make(chan bool)
	go func() { done <- g.Wait(time.Minute) }()
	select {
	case <-done:
		t.Error("it does not wait")
	case <-time.After(5 * time.Millisecond): // shorter would only see less
	}
	g.Leave()
	if !<-done {
		t.Error("it does not see that the call has ended")
	}
	if !g.Closed() || !g.Wait(0) {
		t.Error("it did not stay closed and empty")
	}
}
