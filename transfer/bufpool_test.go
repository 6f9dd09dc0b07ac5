package transfer

import "testing"

func TestBufpool_ReusesAndBounded(t *testing.T) {
	var s bufpool
	first := s.get(100)
	s.put(first)
	if again := s.get(50); len(again) != 50 || &again[0] != &first[0] {
		t.Errorf("%d bytes of other memory", len(again))
	}
	s.put(make([]byte, 10))
	if p := s.get(20); len(p) != 20 {
		t.Errorf("%d bytes of 20", len(p))
	}
	for range 10 {
		s.put(make([]byte, maxPooledBytes/4))
	}
	if len(s.bufs) != 4 || s.bytes != maxPooledBytes {
		t.Errorf("%d buffers of %d bytes are kept", len(s.bufs), s.bytes)
	}
}

// What a Sender keeps for reuse counts below its limit, and is not kept beyond it.
func TestBufpool_CountsInBudget(t *testing.T) {
	budget := memBudget{limit: 250}
	s := bufpool{budget: &budget}
	for range 3 {
		s.put(make([]byte, 100))
	}
	if n := budget.taken.Load(); n != 200 || len(s.bufs) != 2 {
		t.Errorf("%d bytes are counted, of %d buffers", n, len(s.bufs))
	}
	s.get(100)
	if n := budget.taken.Load(); n != 100 {
		t.Errorf("%d bytes are counted when one is used again", n)
	}
	s.get(200) // what is too small goes to the collector
	if n := budget.taken.Load(); n != 0 {
		t.Errorf("%d bytes are counted when none is kept", n)
	}
	s.put(make([]byte, 50))
	if !s.clear() || budget.taken.Load() != 0 || s.clear() {
		t.Error("something is left after clear")
	}
}

// The memory that was used last may still be in a cache.
func TestBufpool_LastReturnedFirst(t *testing.T) {
	var s bufpool
	first, second := s.get(100), s.get(100)
	s.put(first)
	s.put(second)
	for _, want := range [][]byte{second, first} {
		if got := s.get(100); &got[0] != &want[0] {
			t.Error("not the one that came back last")
		}
	}
}
