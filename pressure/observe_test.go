package pressure

import (
	"errors"
	"testing"

	"sluice/layout"
)

// withoutLocks is a segment of whose roles the kernel does not tell.
type withoutLocks struct{ h *layout.Header }

func (withoutLocks) Name() string                      { return "x" }
func (s withoutLocks) Header() *layout.Header          { return s.h }
func (withoutLocks) Geometry() layout.Geometry         { return layout.Geometry{Mode: layout.ModeTransfer} }
func (withoutLocks) Alive(layout.Role) (bool, error)   { return false, errors.New("refused") }
func (withoutLocks) WhileMapped(fn func() error) error { return fn() }

func TestObserve_LockQueryRefused_AliveUnknown(t *testing.T) {
	var h layout.Header
	h.ProducerStats.Generation.Store(1)
	h.ProducerStats.State.Store(uint64(layout.StateRunning))
	h.ConsumerStats.Generation.Store(1)
	h.ConsumerStats.State.Store(uint64(layout.StateClosed))
	s, err := Observe(withoutLocks{&h})
	if err != nil {
		t.Fatal(err)
	}
	if p, c := s.Producer, s.Consumer; !p.AliveUnknown || !p.Alive || !c.AliveUnknown || c.Alive {
		t.Errorf("a running producer: %+v; a consumer that has ended: %+v", p, c)
	}
	if s, err = Observe(withoutLocks{new(layout.Header)}); s.Producer.Alive || !s.Producer.AliveUnknown {
		t.Errorf("a producer that never was: %+v, %v", s.Producer, err)
	}
}
