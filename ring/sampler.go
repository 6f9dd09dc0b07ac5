package ring

// sampler picks the messages that carry a time stamp, a few thousand a second
// whatever the rate is: every message of a slow stream, one in many of a fast
// one. A sample says how many messages it stands for, so the histogram counts
// messages and not samples, and a burst has its full weight.
type sampler struct {
	next uint64 // the message count at which a sample is due
	last uint64 // the count up to which messages are accounted for
	step uint   // samples are 1<<step messages apart
	at   uint64 // monotonic ns of the last sample
}

// The distance between samples is doubled when they are closer than tooDense and halved when they
// are farther apart than tooSparse. A sample takes about 50 ns, so at tooDense samples take a
// two-thousandth of the time.
const (
	tooDense  = 100_000   // ns
	tooSparse = 1_000_000 // ns
	maxStep   = 20
)

func (s *sampler) begin(count uint64) { s.next, s.last = count, count }

func (s *sampler) due(count uint64) bool { return count >= s.next }

// take notes that message number count, from 0, is a sample, and returns how
// many messages it stands for: itself and those since the sample before it.
func (s *sampler) take(count uint64) (weight uint64) {
	weight = count + 1 - s.last
	s.last = count + 1
	s.next = s.last + 1<<s.step - 1
	return weight
}

// adapt takes the time of a sample and adjusts the distance to the next but
// one.
func (s *sampler) adapt(now uint64) {
	switch apart := now - s.at; {
	case apart < tooDense && s.step < maxStep:
		s.step++
	case apart > tooSparse && s.step > 0:
		s.step--
	}
	s.at = now
}

// denser halves the distance to the next sample: the stream has become so slow that a side
// sleeps, and it might be long until a sample is due.
func (s *sampler) denser(count uint64) {
	if s.step > 0 {
		s.step--
		s.next = min(s.next, count+1<<s.step)
	}
}
