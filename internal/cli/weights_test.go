package cli

import "testing"

func TestWeights_PatternsThatCoverAndOverlap(t *testing.T) {
	for _, c := range []struct {
		p, q            string
		covers, overlap bool
	}{
		{"a", "a", true, true},
		{"a", "b", false, false},
		{"a*", "a", true, true},
		{"a*", "ab", true, true},
		{"a*", "ba", false, false},
		{"a*", "ab*", true, true},
		{"ab*", "a*", false, true},
		{"*", "a*b*", true, true},
		{"a*", "*b", false, true},
		{"a*c", "a*bc", true, true},
		{"a*", "b*", false, false},
		{"*a", "*b", false, false},
		{"ab*", "a*b", false, true},
		{"a*b*c", "a*c*c", false, true},
	} {
		if got := covers(c.p, c.q); got != c.covers {
			t.Errorf("%s covers %s: %v", c.p, c.q, got)
		}
		if overlap(c.p, c.q) != c.overlap || overlap(c.q, c.p) != c.overlap {
			t.Errorf("%s and %s overlap: %v, %v", c.p, c.q, overlap(c.p, c.q), overlap(c.q, c.p))
		}
	}
}
