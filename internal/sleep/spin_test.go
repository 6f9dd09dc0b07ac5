package sleep

import (
	"context"
	"math"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

// counted is a condition that counts how often it is looked at.
type counted struct {
	patient
	looks *int
	ready int // the look that finds it ready, 0 = none
}

func (c counted) Ready() (bool, error) {
	*c.looks++
	return *c.looks == c.ready, nil
}

// spins returns how many of n waits for that condition spin.
func spins(p *spinner, n, ready int) (spun int) {
	for range n {
		looks := 0
		if p.until(context.Background(), counted{looks: &looks, ready: ready}, new(layout.Uint64)); looks > 0 {
			spun++
		}
	}
	return spun
}

// adaptive returns an adaptive spinner that does not yield.
func adaptive() spinner {
	p := newSpinner(SpinAdaptive)
	p.yielder.skip = math.MaxUint32
	return p
}

func TestSpinner_Adaptive_InVain_SpinsSeldom(t *testing.T) {
	p := adaptive()
	if n := spins(&p, 4, 0); n != 4 {
		t.Errorf("%d of the first 4 waits spin", n)
	}
	spins(&p, 4, 0)
	if n := spins(&p, 100*tryEvery, 0); n < 50 || n > 200 {
		t.Errorf("%d of %d waits spin, want about 100", n, 100*tryEvery)
	}
}

func TestSpinner_Adaptive_ShortAgain_Spins(t *testing.T) {
	p := adaptive()
	spins(&p, 1000, 0)
	for n := 0; spins(&p, 1, 1) == 0; n++ { // the first that tries
		if n == 100*tryEvery {
			t.Fatal("it does not try")
		}
	}
	if n := spins(&p, 100, 1); n != 100 {
		t.Errorf("%d of 100 waits spin", n)
	}
}

// What is saved is bounded: otherwise a change for the worse would be noticed late.
func TestSpinner_Adaptive_LongAgain_StopsSoon(t *testing.T) {
	p := adaptive()
	spins(&p, 1000, 1)
	if spins(&p, 8, 0); p.saved != 0 {
		t.Errorf("it spins on: %d ns left", p.saved)
	}
}

func TestSpinner_Fixed_SpinsAlways(t *testing.T) {
	p := newSpinner(3 * time.Microsecond)
	if n := spins(&p, 100, 0); n != 100 {
		t.Errorf("%d of 100 waits spin", n)
	}
	if none := newSpinner(never); spins(&none, 100, 1) != 0 {
		t.Error("never spins")
	}
}

// The end of a stream changes no index.
func TestSpinner_ReadyWithoutIndex_Noticed(t *testing.T) {
	p, looks := newSpinner(time.Minute), 0
	if ok, _, err := p.until(context.Background(), counted{looks: &looks, ready: 3 * shortTurns}, new(layout.Uint64)); !ok || err != nil {
		t.Errorf("ready: %v, %v, after %d looks", ok, err, looks)
	}
}

// A spin that is to last some microseconds does: pauses become longer, but not too long.
func TestSpinner_LastsItsTime(t *testing.T) {
	p := newSpinner(50 * time.Microsecond)
	best := time.Hour
	for range 20 {
		began := time.Now()
		spins(&p, 1, 0)
		best = min(best, time.Since(began))
	}
	if best < 50*time.Microsecond || best > 150*time.Microsecond {
		t.Errorf("50us take %v", best)
	}
}

func TestSpin_ContextDone(t *testing.T) {
	_, c, h := pair(time.Hour)
	testenv.WantErr(t, c.next(canceled()), errWaited)
	if waits := h.ConsumerStats.Waits.Load(); waits != 1 {
		t.Errorf("%d waits", waits)
	}
}

// A spin that is in time is no wait.
func TestSpin_InTimeIsCounted(t *testing.T) {
	p, c, h := pair(time.Hour)
	next := testenv.Background(func() error { return c.next(t.Context()) })
	time.Sleep(time.Millisecond)
	p.publish()
	// The condition may have looked after the publish: then it waits for another.
	for h.ConsumerStats.Spins.Load() == 0 {
		p.publish()
	}
	testenv.WantErr(t, next(), nil)
	if s := &h.ConsumerStats; s.Spins.Load() != 1 || s.Waits.Load() != 0 {
		t.Errorf("%d spins, %d waits", s.Spins.Load(), s.Waits.Load())
	}
}
