package ring

import "testing"

func TestSampler_WeightIsMessagesSinceLast(t *testing.T) {
	var s sampler
	s.begin(10)
	for _, c := range []struct{ message, weight uint64 }{{10, 1}, {11, 1}, {17, 6}, {100, 83}} {
		if !s.due(c.message) {
			t.Errorf("message %d: not due", c.message)
		}
		if w := s.take(c.message); w != c.weight {
			t.Errorf("message %d stands for %d, want %d", c.message, w, c.weight)
		}
	}
}

func TestSampler_RateBounded(t *testing.T) {
	for _, apart := range []uint64{5, 100, 10_000, 50_000_000} { // ns from message to message
		var s sampler
		var now, samples uint64
		const seconds = 2
		for message := uint64(0); now < seconds*1e9; message++ {
			if s.due(message) {
				s.take(message)
				s.adapt(now)
				if now > 1e9 { // once it has settled
					samples++
				}
			}
			now += apart
		}
		most := min(uint64(1e9)/apart, 20_000)
		if least := min(uint64(1e9)/apart, 500); samples < least-1 || samples > most+1 {
			t.Errorf("every %d ns: %d samples a second, want %d to %d", apart, samples, least, most)
		}
	}
}
