package pressure

import (
	"errors"
	"testing"

	"sluice/layout"
)

// sandboxed is a segment of whose roles the kernel does not tell.
type sandboxed struct{ h *layout.Header }

func (s sandboxed) Header() *layout.Header        { return s.h }
func (sandboxed) Geometry() layout.Geometry       { return layout.Geometry{Mode: layout.ModeTransfer} }
func (sandboxed) Alive(layout.Role) (bool, error) { return false, errors.New("refused") }

func TestWhatTheKernelDoesNotTellIsUnknownAndNoDeath(t *testing.T) {
	var h layout.Header
	h.ProducerStats.Generation.Store(1)
	h.ProducerStats.State.Store(uint64(layout.StateRunning))
	h.ConsumerStats.Generation.Store(1)
	h.ConsumerStats.State.Store(uint64(layout.StateClosed))
	s, err := Observe(sandboxed{&h})
	if err != nil {
		t.Fatal(err)
	}
	if p, c := s.Producer, s.Consumer; !p.Unknown || !p.Alive || !c.Unknown || c.Alive {
		t.Errorf("a running producer: %+v; a consumer that has ended: %+v", p, c)
	}
	if s, err = Observe(sandboxed{new(layout.Header)}); s.Producer.Alive || !s.Producer.Unknown {
		t.Errorf("a producer that never was: %+v, %v", s.Producer, err)
	}
}
