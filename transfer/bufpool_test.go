package transfer

import "testing"

func TestScrapIsUsedAgainAndBounded(t *testing.T) {
	var s bufpool
	first := s.take(100)
	s.give(first)
	if again := s.take(50); len(again) != 50 || &again[0] != &first[0] {
		t.Errorf("%d bytes of other memory", len(again))
	}
	s.give(make([]byte, 10))
	if p := s.take(20); len(p) != 20 {
		t.Errorf("%d bytes of 20", len(p))
	}
	for range 10 {
		s.give(make([]byte, maxPooledBytes/4))
	}
	if len(s.pieces) != 4 || s.bytes != maxPooledBytes {
		t.Errorf("%d pieces of %d bytes are kept", len(s.pieces), s.bytes)
	}
}
