package endpoint

import "sluice/layout"

// SampleReader is the consumer's end of the ring of samples. It is for the holder of the consumer
// role, on one goroutine.
//
// A sample is timed when its message is taken, and counted when that is released. So a message that
// is held by a consumer that is killed, and delivered again, is counted once, by the successor. One
// that was released and not counted before a kill is not counted: its entry lies behind the
// successor's position, and is skipped. That is also what makes the order of the stores in Count
// irrelevant to a kill.
//
// Entries are whatever the peer has stored. They can make figures wrong, and a call take as many
// steps as the ring has entries.
type SampleReader struct {
	h    *layout.Header
	used uint64 // entries, since creation, that are counted or skipped: Consumer.Samples
	next uint64 // the entry to look at next; those before it are taken or skipped
	end  uint64 // Producer.Samples, as last seen

	takenAt [layout.SampleSlots]uint64 // of the entries from used to next: when; 0 = skipped

	response, latency uint64 // of the sample that was counted last, ns; NoTime = not known
}

// NewSampleReader takes over from the last consumer.
func NewSampleReader(h *layout.Header) SampleReader {
	s := SampleReader{h: h, used: h.Consumer.Samples.Load(), response: NoTime, latency: NoTime}
	if written := h.Producer.Samples.Load(); written-s.used > layout.SampleSlots {
		s.used = written // a hostile side has stored one of them
		h.Consumer.Samples.Store(written)
	}
	s.next, s.end = s.used, s.used
	return s
}

// Refresh looks at how many entries the producer has written. It comes after every load of the
// producer's Index, whose cache line it shares, and before Next is asked for messages up to there.
func (s *SampleReader) Refresh() {
	s.end = s.h.Producer.Samples.Load()
	if s.end-s.used > layout.SampleSlots || int64(s.end-s.next) < 0 {
		s.end = s.next // a hostile peer has stored it
	}
}

// Next returns where the next sample is, of the messages from index head to seen, which is the
// producer's Index as it was loaded before the last Refresh; seen if none of them is a sample. It
// skips entries that lie before head.
//
// Producer.Samples was loaded after seen. So the entries of all messages up to seen are there, and
// those of them stay as they are until Count is done with them: only entries at the Index of a
// producer that was killed, or beyond it, are removed, and replaced by others that lie there.
func (s *SampleReader) Next(head, seen uint64) uint64 {
	for ; s.next != s.end; s.next++ {
		index := sampleAt(s.h, s.next).Index.Load()
		if index-head < seen-head {
			return index
		}
		if int64(index-head) >= 0 {
			break
		}
		s.takenAt[s.next%layout.SampleSlots] = 0
	}
	return seen
}

// Take notes that the sample was taken at now, ns of the monotonic clock.
//
// Preconditions: the last Next has returned its index.
func (s *SampleReader) Take(now uint64) {
	s.takenAt[s.next%layout.SampleSlots] = now
	s.next++
}

// Count counts the samples whose messages are released: those before that index.
func (s *SampleReader) Count(released uint64) {
	if s.used == s.next {
		return
	}
	from := s.used
	for s.used != s.next {
		if now := s.takenAt[s.used%layout.SampleSlots]; now != 0 {
			e := sampleAt(s.h, s.used)
			if int64(e.Index.Load()-released) >= 0 {
				break
			}
			s.count(e, now)
		}
		s.used++
	}
	if s.used != from {
		s.h.Consumer.Samples.StoreRelease(s.used) // after all loads from the slots: see SampleWriter.Queued
	}
}

// count adds the times of a sample, taken at now, to the histograms.
func (s *SampleReader) count(e *layout.Sample, now uint64) {
	due, messages := e.DueAt.Load(), e.Messages.Load()
	latency := Since(e.PublishedAt.Load(), now)
	AddTimes(&s.h.Latency, s.latency, latency, messages)
	s.latency = latency
	if due == 0 {
		s.response = NoTime
		return
	}
	response := Since(due, now)
	AddTimes(&s.h.Response, s.response, response, messages)
	s.response = response
}
