package ring

import "sluice/layout"

// sampler decides which messages are samples: a few thousand for each second of the stream,
// whatever its rate is; every message of a slow one, one in many of a fast one. It counts messages
// and does not look at the time of a single one, so that a message after a long gap is as likely to
// be a sample as one after a short gap. A sample says how many messages it stands for, so the
// histograms count messages and not samples, and a burst has its full weight.
//
// The time of the stream is that of the messages' due times where they have some, else of their
// publishes. So a backlog that leaves within a millisecond has the samples of the time in which it
// was due.
//
// With a consumer that does not keep up, samples become rarer the more of them are queued, and as
// soon as it catches up they are as dense as before.
type sampler struct {
	next uint64 // the message count at which to look whether a sample is due
	late uint64 // the due time, ns, from which on to look in any case
	last uint64 // the count up to which messages are accounted for
	step uint   // looks are 1<<step messages apart

	at     uint64 // ns of the last sample
	stride uint64 // looks from the sample before it to that one
	apart  uint64 // ns from look to look, on average
}

// The distance between looks is doubled when they are closer than tooDense on average and halved
// when they are farther apart than tooSparse. A sample costs both sides together less than a
// microsecond, most of it for cache lines that move (docs/protocol.md), so at tooDense samples take
// less than half a per cent.
const (
	tooDense  = 200_000   // ns
	tooSparse = 1_000_000 // ns
	maxStep   = 20

	// maxApart is what a longer distance counts as, ns: one pause says little of the rate.
	maxApart = 256 * tooSparse
	// lateAfter is how long after a look the next one is due in any case, ns.
	lateAfter = 16 * tooSparse
	// average is how many samples the average distance goes over. With fewer, messages that come
	// close together by chance would often make the next ones less likely to be samples, and the
	// end of a burst would have few of them.
	average = 64

	// thinEach is how many queued samples double the distance between samples, in looks. So that
	// is about a hundredth of what is queued, and the ring of samples is enough for millions of
	// messages.
	thinEach = layout.SampleSlots / 16
)

// begin starts at message number count, from 0, which will be a sample. Messages before it that no
// sample stands for are not counted.
func (s *sampler) begin(count uint64) {
	*s = sampler{next: count, last: count, stride: 1, apart: tooSparse}
}

// due reports whether to look at message number count, from 0.
func (s *sampler) due(count uint64) bool { return count >= s.next }

// look decides whether message number count, from 0, which is due at that time, 0 = at none, is a
// sample, with that many samples queued. It returns how many messages the sample stands for: itself
// and those since the sample before it. 0 = it is none.
func (s *sampler) look(count, due, queued uint64) (messages uint64) {
	s.next = count + 1<<s.step
	s.late = due + lateAfter
	messages = count + 1 - s.last
	thin := queued / thinEach
	if queued >= layout.SampleSlots || thin > 0 && messages < 1<<(uint64(s.step)+thin) {
		return 0
	}
	s.last = count + 1
	s.stride = max(1, messages>>s.step)
	return messages
}

// adapt takes the time of a sample and adjusts the distance to the look after the next one.
func (s *sampler) adapt(at uint64) {
	apart := min(distance(at, s.at)/s.stride, maxApart)
	s.at = at
	s.apart += apart/average - s.apart/average
	switch {
	case s.apart < tooDense && s.step < maxStep:
		s.step++
		s.apart *= 2
	case s.apart > tooSparse && s.step > 0:
		s.step--
		s.apart /= 2
	}
}

// denser halves the distance to the next look: the stream has become so slow that a side sleeps,
// and it might be long until then.
func (s *sampler) denser(count uint64) {
	if s.step > 0 {
		s.step--
		s.apart /= 2
		s.next = min(s.next, count+1<<s.step)
	}
}
