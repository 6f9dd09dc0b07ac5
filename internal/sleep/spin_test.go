package sleep

import (
	"testing"
	"time"

	"sluice/internal/testenv"
)

func TestSpinner_Learn(t *testing.T) {
	adaptive, fixed := newSpinner(SpinAdaptive), newSpinner(3*time.Microsecond)
	for range 20 {
		adaptive.learn(uint64(time.Second))
		fixed.learn(uint64(time.Second))
	}
	if adaptive.budget != minSpin || fixed.budget != 3000 {
		t.Errorf("after long sleeps: %d and %d ns", adaptive.budget, fixed.budget)
	}
	for range 20 {
		adaptive.learn(1000)
		fixed.learn(1000)
	}
	if adaptive.budget != maxSpin || fixed.budget != 3000 {
		t.Errorf("after short sleeps: %d and %d ns", adaptive.budget, fixed.budget)
	}
	if none := newSpinner(never); none.budget != 0 {
		t.Errorf("never is %d ns", none.budget)
	}
}

func TestWait_TeachesSpin(t *testing.T) {
	_, c, _ := pair(SpinAdaptive)
	c.spin.budget = 1000
	testenv.WantErr(t, c.next(canceled()), errWaited)
	if c.spin.budget == 1000 {
		t.Error("nothing learned")
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
