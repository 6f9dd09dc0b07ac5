package endpoint

import "sluice/layout"

// SampleWriter is the producer's end of the ring of samples, the messages that are timed. It is for
// the holder of the producer role, on one goroutine.
//
// An entry says where the record of a message begins and how many messages it stands for, so the
// consumer knows before it comes to a record that it is to be timed, and no record has room for a
// time. Entries are not overwritten before the consumer is done with them: during a stall, which
// they are there to measure, the oldest are those that matter.
//
// The stores, and what makes them visible:
//
//	commit   W1 the entry, beyond Producer.Samples, without PublishedAt
//	publish  W2 PublishedAt of every entry that is staged
//	         W3 Producer.Samples, a release that covers W1 and W2
//	         W4 Publish, whose last store, Index, is a release that covers W1 to W3
//
// A consumer that loads Samples after Index finds the entries of all messages up to that Index. It
// may find more, of a publish that is under way, whose messages lie at that Index or beyond it: it
// can tell because W3 is a release as well. Else it might find in the slot of such an entry what
// was there a round before, take that for an entry that it has passed, and skip it. If the producer
// is killed between W3 and W4, such entries stay and name messages that never were: NewSampleWriter
// removes them.
type SampleWriter struct {
	h         *layout.Header
	published uint64 // entries, since creation, that Producer.Samples shows
	staged    uint64 // entries after those
}

// NewSampleWriter takes over from the last producer, which has published up to index. It comes
// before the first publish.
//
// A live consumer may have loaded Producer.Samples before and looks at the entries that are removed
// here. They lie at index or beyond it, and so beyond every Index that it has loaded: it comes to
// them only after it has loaded another Index, and then Producer.Samples again (SampleReader.Next).
func NewSampleWriter(h *layout.Header, index uint64) SampleWriter {
	s := SampleWriter{h: h, published: h.Producer.Samples.Load()}
	used := h.Consumer.Samples.Load()
	if s.published-used > layout.SampleSlots { // a hostile side has stored one of them
		s.published = used
	}
	for s.published != used && int64(sampleAt(h, s.published-1).Index.Load()-index) >= 0 {
		s.published--
	}
	h.Producer.Samples.Store(s.published)
	return s
}

// sampleAt returns the slot of an entry.
func sampleAt(h *layout.Header, entry uint64) *layout.Sample {
	return &h.Samples[entry%layout.SampleSlots]
}

// Queued returns how many entries the consumer is not done with, including those that are staged;
// layout.SampleSlots if there is no room for another one.
func (s *SampleWriter) Queued() uint64 {
	// An acquiring load: what Stage stores in a slot comes after what the consumer has loaded from
	// it, which is before the release store of Samples.
	return min(s.published+s.staged-s.h.Consumer.Samples.Load(), layout.SampleSlots)
}

// Stage makes the message whose record begins at index a sample that stands for that many messages:
// itself, and those since the sample before it. It was due at dueAt, ns of the monotonic clock; 0 =
// at no time.
//
// Preconditions: Queued is less than layout.SampleSlots.
func (s *SampleWriter) Stage(index, dueAt, messages uint64) {
	e := sampleAt(s.h, s.published+s.staged)
	e.Index.StoreRelaxed(index)
	e.DueAt.StoreRelaxed(dueAt)
	e.Messages.StoreRelaxed(messages)
	s.staged++
}

// Staged reports whether there is an entry to publish.
func (s *SampleWriter) Staged() bool { return s.staged != 0 }

// Publish makes the entries that are staged part of the next Publish of the cursor, which has to
// follow and to cover their messages. now is the monotonic clock, ns. It returns how many there
// are.
func (s *SampleWriter) Publish(now uint64) (n uint64) {
	n = s.staged
	for s.staged > 0 {
		sampleAt(s.h, s.published).PublishedAt.StoreRelaxed(now)
		s.published++
		s.staged--
	}
	s.h.Producer.Samples.StoreRelease(s.published)
	return n
}
