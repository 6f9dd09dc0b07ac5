package ring

import (
	"testing"

	"sluice/layout"
)

func TestSampler_StandsForMessagesSinceLast(t *testing.T) {
	var s sampler
	s.begin(10)
	for _, c := range []struct{ message, stands uint64 }{{10, 1}, {11, 1}, {17, 6}, {100, 83}} {
		if !s.due(c.message) {
			t.Errorf("message %d: not due", c.message)
		}
		if n := s.look(c.message, 0, 0); n != c.stands {
			t.Errorf("message %d stands for %d, want %d", c.message, n, c.stands)
		}
	}
}

func TestSampler_RateBounded(t *testing.T) {
	for _, apart := range []uint64{5, 100, 10_000, 50_000_000} { // ns from message to message
		var s sampler
		s.begin(0)
		var now, samples uint64
		const seconds = 2
		for message := uint64(0); now < seconds*1e9; message++ {
			if s.due(message) {
				s.look(message, 0, 0)
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

// A burst whose messages are due at the same time has samples all along, for the first of them
// says nothing of the last.
func TestSampler_Burst_SampledAllAlong(t *testing.T) {
	for _, burst := range []uint64{10, 1000, 100_000} {
		var s sampler
		s.begin(0)
		for message := uint64(0); message < 50*burst; message++ {
			dueAt := 1 + message/burst*1e8
			if !s.due(message) {
				continue
			}
			n := s.look(message, dueAt, 0)
			s.adapt(dueAt)
			if n > max(1, burst/40) {
				t.Errorf("bursts of %d: a sample stands for %d", burst, n)
			}
		}
	}
}

// With a consumer that has stopped, samples become rarer: the ring of samples is enough for
// everything that is queued. When the consumer goes on, they are dense again at once.
func TestSampler_ConsumerStops_Rarer(t *testing.T) {
	var s sampler
	s.begin(0)
	var queued, last uint64
	const backlog = 1_000_000
	for message := range uint64(backlog) {
		dueAt := 1 + message*1_000_000
		if !s.due(message) {
			t.Fatalf("no look at message %d", message)
		}
		if n := s.look(message, dueAt, queued); n > 0 {
			if n > 1+message/32 {
				t.Fatalf("message %d stands for %d", message, n)
			}
			s.adapt(dueAt)
			queued++
			last = message
		}
	}
	if queued >= layout.SampleSlots || backlog-last > backlog/32 {
		t.Errorf("%d samples, the last is message %d", queued, last)
	}
	for message := range uint64(10) {
		dueAt := 1 + (backlog+message)*1_000_000
		if !s.due(backlog+message) || s.look(backlog+message, dueAt, 0) == 0 {
			t.Errorf("message %d after the backlog is no sample", message)
		}
		s.adapt(dueAt)
	}
}
