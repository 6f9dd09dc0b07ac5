package transfer

import (
	"math/bits"

	"sluice/internal/endpoint"
	"sluice/internal/monotonic"
	"sluice/layout"
)

// takeTimes measures latency and response of the messages that a Receiver takes, and counts them in
// the header page when they are released: what is given again to a successor was not counted
// before. It looks at the first and the last message of a buffer, and at others about every
// sampleInterval. Each stands for itself and for those since the one before, whose times lie evenly
// between the two. So a message in between costs nothing. The Receiver's goroutine uses it, and
// Close when no call is under way.
type takeTimes struct {
	h *layout.Header

	// The buffer that messages are taken from.
	first, last messageTime
	start       uint64 // messages before it, as progress counts
	messages    uint64 // in it
	sampled     uint64 // of those, up to the last sample; 0 = there is none
	now         uint64 // of that, or when the buffer was loaded, monotonic ns
	distance    uint32 // messages between samples

	// What was taken and not released: a ring of groups of samples. When it is full, each group
	// is merged with the next one, and later groups are as large.
	pending    *[maxPendingSamples]takenSample
	head, tail uint   // of the oldest, and behind the newest; both 0 when there is none
	upTo       uint64 // of the oldest, if there is one
	group      int    // samples in a group; 0 when there is none
	inNewest   int    // samples in the newest

	before struct{ latency, response uint64 } // of the sample that was counted last, or NoTime
}

// takenSample is a message whose times stand for those of others, or several of that kind.
type takenSample struct {
	upTo              uint64 // messages up to it
	messages          uint64 // that it stands for
	latency, response uint64 // ns; response is NoTime if it was due at no time
	due               uint64 // of those messages, the ones that have a response
}

const (
	// maxPendingSamples is how many samples are told apart while they are held.
	maxPendingSamples = 1024
	// sampleInterval is about the time between samples within a buffer, ns. One takes less than
	// 100 ns.
	sampleInterval = 100_000
)

func newTakeTimes(h *layout.Header) takeTimes {
	t := takeTimes{h: h, distance: 1}
	t.before.latency, t.before.response = endpoint.NoTime, endpoint.NoTime
	return t
}

// load goes on with a buffer that was loaded now, and that ends after so many messages.
func (t *takeTimes) load(e *entry, end, now uint64) {
	t.first, t.last, t.messages = e.first, e.last, uint64(e.messages)
	t.start, t.sampled, t.now = end-t.messages, 0, now
}

// take looks at the message that was taken just now, which makes so many in all and leaves so many
// in the buffer: first at the first one that this Receiver takes from it. It returns which one to
// look at next, as how many are left with that: 1 is the buffer's last.
func (t *takeTimes) take(taken uint64, left uint32) (next uint32) {
	n := uint64(1) // an earlier Receiver has counted what is before the first
	if t.sampled != 0 {
		n = taken - t.start - t.sampled
		before := t.now
		t.now = monotonic.Now()
		t.distance = distance(t.distance, n, t.now-before)
	}
	t.sample(taken, n)
	return max(left+1, t.distance+1) - t.distance
}

// distance returns the distance between samples when n messages, at the distance was, took ns.
func distance(was uint32, n, ns uint64) uint32 {
	return uint32(min(max(1, n*sampleInterval/max(1, ns)), 2*uint64(was), maxDistance))
}

// maxDistance has no effect but that distances can be added.
const maxDistance = 1 << 30

// sample notes that the last of so many messages was taken at t.now. It stands for n of them.
func (t *takeTimes) sample(taken, n uint64) {
	t.sampled = taken - t.start
	at := t.timeOf(t.sampled)
	s := takenSample{upTo: taken, messages: n, latency: endpoint.Since(at.committed, t.now), response: endpoint.NoTime}
	if at.due != 0 {
		s.response, s.due = endpoint.Since(at.due, t.now), 1
		if t.first.due != 0 && t.last.due != 0 { // else it is not known which of the others were due
			s.due = n
		}
	}
	t.push(s)
}

// timeOf returns the times of a message of the buffer, by its number there, from 1. Those between
// the first and the last one are taken to be evenly apart.
func (t *takeTimes) timeOf(number uint64) messageTime {
	switch number {
	case 1:
		return t.first
	case t.messages:
		return t.last
	}
	at := messageTime{committed: partWay(t.first.committed, t.last.committed, number-1, t.messages-1)}
	if t.first.due != 0 && t.last.due != 0 {
		at.due = partWay(t.first.due, t.last.due, number-1, t.messages-1)
	}
	return at
}

// partWay returns the time that lies n of m steps of the same length from one time to another,
// which may be before it; the other one from m steps on. Any times of a peer are valid.
func partWay(from, to, n, m uint64) uint64 {
	if n >= m {
		return to
	}
	part := func(of uint64) uint64 {
		hi, lo := bits.Mul64(of, n)
		q, _ := bits.Div64(hi, lo, m)
		return q
	}
	if int64(to-from) < 0 {
		return from - part(from-to)
	}
	return from + part(to-from)
}

func (t *takeTimes) push(s takenSample) {
	if t.pending == nil {
		t.pending = new([maxPendingSamples]takenSample)
	}
	if t.inNewest < t.group {
		t.at(t.tail - 1).join(s)
		t.inNewest++
	} else {
		if t.tail-t.head == maxPendingSamples {
			t.merge()
		}
		*t.at(t.tail) = s
		t.tail++
		t.group, t.inNewest = max(1, t.group), 1
	}
	t.upTo = t.at(t.head).upTo
}

func (t *takeTimes) at(i uint) *takenSample { return &t.pending[i%maxPendingSamples] }

// merge makes groups of twice the size.
func (t *takeTimes) merge() {
	for i := range uint(maxPendingSamples / 2) {
		merged := *t.at(t.head + 2*i)
		merged.join(*t.at(t.head + 2*i + 1))
		*t.at(t.head + i) = merged
	}
	t.tail = t.head + maxPendingSamples/2
	t.group *= 2
}

// join makes s stand for the messages of the next one as well.
func (s *takenSample) join(next takenSample) {
	s.upTo, s.latency = next.upTo, next.latency
	s.messages += next.messages
	s.due += next.due
	if next.response != endpoint.NoTime {
		s.response = next.response
	}
}

// release counts the samples among the first so many messages, which were released.
func (t *takeTimes) release(messages uint64) {
	if t.tail != 0 && t.upTo <= messages {
		t.count(messages)
	}
}

func (t *takeTimes) count(messages uint64) {
	for t.upTo <= messages {
		t.add(*t.at(t.head))
		if t.head++; t.head == t.tail {
			t.forget()
			return
		}
		t.upTo = t.at(t.head).upTo
	}
}

// add counts a sample in the header page.
func (t *takeTimes) add(s takenSample) {
	endpoint.AddTimes(&t.h.Latency, t.before.latency, s.latency, s.messages)
	if s.due > 0 {
		endpoint.AddTimes(&t.h.Response, t.before.response, s.response, s.due)
	}
	t.before.latency, t.before.response = s.latency, s.response
}

// finish counts what is released of a buffer of which the rest is not, and forgets what is not
// released: it is another Receiver's, or lost. So many messages were taken and released.
func (t *takeTimes) finish(taken, released uint64) {
	if n := taken - t.start; t.sampled != 0 && t.sampled < n && n < t.messages {
		t.now = monotonic.Now()
		t.sample(taken, n-t.sampled)
	}
	t.release(released)
	if t.tail != 0 {
		if s := *t.at(t.head); s.upTo-s.messages < released {
			part := released - (s.upTo - s.messages)
			toPart := func(before, ns uint64) uint64 {
				if before == endpoint.NoTime || ns == endpoint.NoTime {
					return ns
				}
				return partWay(before, ns, part, s.messages)
			}
			s.latency, s.response = toPart(t.before.latency, s.latency), toPart(t.before.response, s.response)
			s.messages, s.due = part, min(s.due, part)
			t.add(s)
		}
	}
	t.forget()
	t.sampled = 0
}

// forget empties the ring.
func (t *takeTimes) forget() { t.head, t.tail, t.group, t.inNewest = 0, 0, 0, 0 }
