package endpoint

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/layout"
)

// stream is both ends of the ring of samples, and what they would publish with it: messages that
// take 16 bytes each.
type stream struct {
	*layout.Header
	w    SampleWriter
	r    SampleReader
	tail uint64 // end of what is staged
	now  uint64
}

func newStream() *stream {
	h := new(layout.Header)
	return &stream{Header: h, w: NewSampleWriter(h, 0), r: NewSampleReader(h), now: 1000}
}

// stage stages a message; sampled if it is to stand for messages.
func (s *stream) stage(messages uint64) (index uint64) {
	index = s.tail
	if messages > 0 {
		s.w.Stage(index, s.now-100, messages)
	}
	s.tail += 16
	return index
}

func (s *stream) publish() {
	s.w.Publish(s.now)
	Publish(&s.Producer, s.Producer.Count.Load(), s.tail, s.tail/16, 0, false)
}

// take takes everything up to the end of what is published, and returns the positions of the
// samples. Nothing is released.
func (s *stream) take(head uint64) (at []uint64) {
	seen := s.Producer.Index.Load()
	s.r.Refresh()
	for head < seen {
		next := s.r.Next(head, seen)
		if next == head {
			s.r.Take(s.now)
			at = append(at, head)
		}
		head += 16
	}
	return at
}

// release releases what lies before index.
func (s *stream) release(index uint64) {
	Publish(&s.Consumer, s.Consumer.Count.Load(), index, index/16, 0, false)
	s.r.Count(index)
}

func (s *stream) wantCounted(t *testing.T, latencies, responses uint64) {
	t.Helper()
	if l, r := s.Latency.Count.Load(), s.Response.Count.Load(); l != latencies || r != responses {
		t.Errorf("%d latencies and %d response times counted, want %d and %d", l, r, latencies, responses)
	}
}

func TestSample_TimesFromPublishAndDue(t *testing.T) {
	s := newStream()
	s.stage(1) // due 100 ns ago
	s.now += 10
	s.publish()
	s.now += 7
	s.take(0)
	s.release(16)
	s.wantCounted(t, 1, 1)
	if l, r := s.Latency.Sum.Load(), s.Response.Sum.Load(); l != 7 || r != 117 {
		t.Errorf("latency %d, response %d; want 7 and 117", l, r)
	}
	s.w.Stage(s.tail, 0, 5) // due at no time
	s.tail += 16
	s.publish()
	s.take(16)
	s.release(32)
	s.wantCounted(t, 6, 1)
}

// A sample stands for the messages since the one before it, whose times lie between the two.
func TestSample_TimesBetweenSamples(t *testing.T) {
	s := newStream()
	s.now = 1000
	s.w.Stage(0, 0, 1)
	s.w.Stage(16, 100, 1)
	s.w.Stage(32, 1000, 10)
	s.tail = 48
	s.w.Publish(600)
	s.publish()
	s.now = 1100
	s.take(0)
	s.release(48)
	// Response times 1000, and then 910, 820 and so on to 100.
	if n, sum := s.Response.Count.Load(), s.Response.Sum.Load(); n != 11 || sum != 1000+5*(910+100) {
		t.Errorf("%d response times with the sum %d", n, sum)
	}
	if n, sum := s.Latency.Count.Load(), s.Latency.Sum.Load(); n != 12 || sum != 12*500 {
		t.Errorf("%d latencies with the sum %d", n, sum)
	}
	s.w.Stage(48, 0, 1)
	s.w.Stage(64, 600, 2) // since one that was due at no time
	s.tail = 80
	s.publish()
	s.take(48)
	s.release(80)
	if n, sum := s.Response.Count.Load(), s.Response.Sum.Load(); n != 13 || sum != 1000+5*(910+100)+2*500 {
		t.Errorf("%d response times with the sum %d", n, sum)
	}
}

func TestSample_OnlyPublishedOnesAreSeen(t *testing.T) {
	s := newStream()
	s.stage(0)
	first := s.stage(3)
	s.publish()
	second := s.stage(1)
	if at := s.take(0); !slices.Equal(at, []uint64{first}) {
		t.Errorf("samples at %v, want %d", at, first)
	}
	s.stage(0)
	third := s.stage(2)
	if at := s.take(second); at != nil {
		t.Errorf("samples at %v that are not published", at)
	}
	s.publish()
	if at := s.take(second); !slices.Equal(at, []uint64{second, third}) {
		t.Errorf("samples at %v, want %d and %d", at, second, third)
	}
}

func TestSample_CountedWhenReleased(t *testing.T) {
	s := newStream()
	for range 4 {
		s.stage(10)
	}
	s.publish()
	s.take(0)
	s.r.Count(0)
	s.wantCounted(t, 0, 0)
	s.release(32)
	s.wantCounted(t, 20, 20)
	if n := s.Consumer.Samples.Load(); n != 2 || s.w.Queued() != 2 {
		t.Errorf("%d samples used, %d queued; want 2 and 2", n, s.w.Queued())
	}
	s.release(64)
	s.wantCounted(t, 40, 40)
}

// A consumer is killed at any point of its way: what it had released and counted is not counted
// again, what it held is counted by its successor.
func TestSample_ConsumerKilled_CountedOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		kill    func(s *stream)
		counted uint64 // in the end, of four messages
	}{
		{"holding all", func(*stream) {}, 4},
		{"having released two, before it counted them", func(s *stream) {
			Publish(&s.Consumer, 0, 32, 2, 0, false)
		}, 2},
		{"having released two, within their counting", func(s *stream) {
			used := s.Consumer.Samples.Load()
			s.release(32)
			s.Consumer.Samples.Store(used)
		}, 4},
		{"having released two", func(s *stream) { s.release(32) }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStream()
			for range 4 {
				s.stage(1)
			}
			s.publish()
			s.take(0)
			c.kill(s)
			for range 2 { // the second one has nothing left to do
				s.r = NewSampleReader(s.Header)
				s.take(Recover(&s.Consumer).Index)
				s.release(64)
				s.wantCounted(t, c.counted, c.counted)
			}
			if s.w.Queued() != 0 {
				t.Errorf("%d samples are queued", s.w.Queued())
			}
		})
	}
}

// No entry is overwritten that the consumer has not used, and all are there in the end.
func TestSample_RingFull(t *testing.T) {
	s := newStream()
	const rounds = 3
	head := uint64(0)
	for range rounds {
		for s.w.Queued() < layout.SampleSlots {
			s.stage(1)
			s.publish()
		}
		for range 10 { // no room for their samples
			s.stage(0)
			s.publish()
		}
		at := s.take(head)
		if len(at) != layout.SampleSlots {
			t.Fatalf("%d samples", len(at))
		}
		for i, index := range at {
			if index != head+16*uint64(i) {
				t.Fatalf("sample %d at %d", i, index)
			}
		}
		s.release(at[0] + 16)
		if n := s.w.Queued(); n != layout.SampleSlots-1 {
			t.Fatalf("%d queued after one was released", n)
		}
		s.release(s.tail)
		head = s.tail
	}
	s.wantCounted(t, rounds*layout.SampleSlots, rounds*layout.SampleSlots)
}

// A producer is killed between any two stores of a publish with two samples. Its successor has
// messages of other sizes, so that what is left of the samples would be found at wrong places, or
// in the middle of a message. A consumer that is there all the time finds the successor's alone.
func TestSample_ProducerKilledBetweenStores(t *testing.T) {
	stores := []func(h *layout.Header){ // of two messages of 16 bytes at index 16
		func(h *layout.Header) { h.Samples[1].Index.Store(16) },
		func(h *layout.Header) { h.Samples[1].DueAt.Store(900) },
		func(h *layout.Header) { h.Samples[1].Messages.Store(7) },
		func(h *layout.Header) { h.Samples[2].Index.Store(32) },
		func(h *layout.Header) { h.Samples[2].DueAt.Store(900) },
		func(h *layout.Header) { h.Samples[2].Messages.Store(8) },
		func(h *layout.Header) { h.Samples[1].PublishedAt.Store(1000) },
		func(h *layout.Header) { h.Samples[2].PublishedAt.Store(1000) },
		func(h *layout.Header) { h.Producer.Samples.Store(3) },
		func(h *layout.Header) { h.Producer.CountBefore.Store(1) },
		func(h *layout.Header) { h.Producer.NextIndex.Store(48) },
		func(h *layout.Header) { h.Producer.Count.Store(3) },
		func(h *layout.Header) { h.Producer.Index.Store(48) },
	}
	begin := func() *stream {
		s := newStream()
		s.stage(1)
		s.publish()
		return s
	}
	for done := range len(stores) + 1 {
		for _, looks := range []bool{false, true} { // whether the consumer sees what is left behind
			t.Run(fmt.Sprintf("after %d of %d, %v", done, len(stores), looks), func(t *testing.T) {
				s := begin()
				s.take(0)
				for _, store := range stores[:done] {
					store(s.Header)
				}
				seen := s.Producer.Index.Load()
				if looks {
					s.r.Refresh()
					s.r.Next(16, seen)
				}
				want := []uint64{}
				if done == len(stores) {
					want = []uint64{16, 32}
				}
				pos := Recover(&s.Producer)
				s.w, s.tail = NewSampleWriter(s.Header, pos.Index), pos.Index
				if n := s.w.Queued(); n != uint64(1+len(want)) {
					t.Errorf("the successor finds %d samples, want %d", n, 1+len(want))
				}
				for i := range 4 { // 24 bytes each
					if i%2 == 1 {
						s.w.Stage(s.tail, 0, 2)
						want = append(want, s.tail)
					}
					s.tail += 24
				}
				s.publish()
				got, index := []uint64{}, s.Producer.Index.Load()
				s.r.Refresh()
				for head := uint64(16); head < index; {
					if s.r.Next(head, index) == head {
						s.r.Take(1100)
						got = append(got, head)
					}
					if head < pos.Index {
						head += 16
					} else {
						head += 24
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("samples at %v, want %v", got, want)
				}
			})
		}
	}
	byHand, byCalls := begin(), begin()
	for _, store := range stores {
		store(byHand.Header)
	}
	byCalls.stage(7)
	byCalls.stage(8)
	byCalls.publish()
	for i := range 3 {
		a, b := &byHand.Samples[i], &byCalls.Samples[i]
		if a.Index.Load() != b.Index.Load() || a.DueAt.Load() != b.DueAt.Load() || a.PublishedAt.Load() != b.PublishedAt.Load() || a.Messages.Load() != b.Messages.Load() {
			t.Errorf("sample %d: the calls do not do what this test does", i)
		}
	}
	if byHand.Producer.Samples.Load() != byCalls.Producer.Samples.Load() || Recover(&byHand.Producer) != Recover(&byCalls.Producer) {
		t.Error("the calls do not do what this test does")
	}
}

// Every order in which a consumer's looks can fall between the stores of a producer that is killed
// before its Index, and of a successor: the first sample of the messages that the consumer has seen
// is found, and nothing that is none.
func TestSample_LooksBetweenStores(t *testing.T) {
	stores := []func(h *layout.Header){
		func(h *layout.Header) { h.Samples[0].Index.Store(16) }, // message 1
		func(h *layout.Header) { h.Producer.Samples.Store(1) },
		func(h *layout.Header) { h.Producer.Index.Store(32) },
		func(h *layout.Header) { h.Samples[1].Index.Store(48) }, // message 3
		func(h *layout.Header) { h.Producer.Samples.Store(2) },  // killed
		func(h *layout.Header) { h.Producer.Samples.Store(1) },  // its successor
		func(h *layout.Header) { h.Samples[1].Index.Store(32) }, // message 2
		func(h *layout.Header) { h.Samples[2].Index.Store(64) }, // message 4
		func(h *layout.Header) { h.Producer.Samples.Store(3) },
		func(h *layout.Header) { h.Producer.Index.Store(80) },
	}
	samplesAt := []uint64{16, 32, 64}
	for schedule := range schedules(len(stores), 6) {
		s := newStream()
		done := 0
		run := func(until int) {
			for ; done < until; done++ {
				stores[done](s.Header)
			}
		}
		head := uint64(0)
		for look := 0; look < len(schedule); look += 3 {
			run(schedule[look])
			seen := s.Producer.Index.Load()
			run(schedule[look+1])
			s.r.Refresh()
			for ; head < seen; head += 16 {
				run(schedule[look+2]) // before the first Next
				got, want := s.r.Next(head, seen), seen
				for _, index := range slices.Backward(samplesAt) {
					if index >= head && index < seen {
						want = index
					}
				}
				if got != want {
					t.Fatalf("head %d, seen %d, looks after %v stores: %d, want %d", head, seen, schedule, got, want)
				}
				if got == head {
					s.r.Take(s.now)
				}
			}
		}
	}
}

// The order of the stores is up to the compiler and the processor as well: a consumer that finds a
// message finds its sample, whole, and the producer overwrites none that is not counted. Every
// message is a sample, and its times follow from its position.
func TestSample_StoreOrder(t *testing.T) {
	const messages = 300_000
	s := newStream()
	var producing sync.WaitGroup
	defer producing.Wait()
	var stop atomic.Bool
	defer stop.Store(true)
	producing.Go(func() {
		for i := uint64(0); i < messages && !stop.Load(); {
			if s.w.Queued() == layout.SampleSlots {
				runtime.Gosched()
				continue
			}
			index := 16 * i
			s.w.Stage(index, index+1, 2*index)
			s.w.Publish(index + 3)
			i++
			Publish(&s.Producer, i-1, index+16, i, 0, false)
		}
	})
	r := NewSampleReader(s.Header)
	for head := uint64(0); head < 16*messages; {
		seen := s.Producer.Index.Load()
		if seen == head {
			runtime.Gosched()
		}
		r.Refresh()
		for ; head < seen; head += 16 {
			if at := r.Next(head, seen); at != head {
				t.Fatalf("at %d of %d, the next sample is at %d", head, seen, at)
			}
			e := sampleAt(s.Header, r.next)
			if due, published, n := e.DueAt.Load(), e.PublishedAt.Load(), e.Messages.Load(); due != head+1 || published != head+3 || n != 2*head {
				t.Fatalf("at %d: due %d, published %d, for %d messages", head, due, published, n)
			}
			r.Take(head + 4)
		}
		r.Count(head)
	}
}

// Entries that lie before the consumer's position are skipped, and do not count even where another
// message's entry was in the same slot before.
func TestSample_SkippedIsNotCounted(t *testing.T) {
	s := newStream()
	const n = layout.SampleSlots
	for range n {
		s.stage(1)
	}
	s.publish()
	s.take(0)
	s.release(s.tail)
	for range n {
		s.w.Stage(0, 900, 1)
	}
	s.stage(0)
	s.publish()
	if at := s.take(16 * n); at != nil {
		t.Errorf("samples at %v", at)
	}
	s.release(s.tail)
	s.wantCounted(t, n, n)
	if s.w.Queued() != 0 {
		t.Errorf("%d samples are queued", s.w.Queued())
	}
}

// A producer that counts entries which are not there costs a call as many steps as there are
// entries, also when all of them are to be skipped and it takes the count back.
func TestSample_HostileCount_StepsBounded(t *testing.T) {
	const head = 1 << 20
	for _, counts := range [][]uint64{{math.MaxUint64}, {1 << 40}, {layout.SampleSlots + 1}, {5, 3}, {5, 0}, {layout.SampleSlots, 0, 1 << 63}} {
		s := newStream() // whose entries are all of index 0
		for _, n := range counts {
			s.Producer.Samples.Store(n)
			s.r.Refresh()
			before := s.r.next
			if steps := s.r.end - before; steps > layout.SampleSlots {
				t.Fatalf("counts %v: %d steps", counts, steps)
			}
			if got := s.r.Next(head, head+16); got != head+16 {
				t.Errorf("counts %v: a sample at %d", counts, got)
			}
		}
	}
}

// Whatever a hostile side leaves behind, a producer and a consumer that come after it agree again,
// whichever of them comes first.
func TestSample_HostileCount_SuccessorsAgree(t *testing.T) {
	for _, written := range []uint64{0, 7, 5000, math.MaxUint64} {
		for _, used := range []uint64{0, 7, 5000, math.MaxUint64} {
			for _, first := range []string{"producer", "consumer"} {
				s := newStream()
				s.Producer.Samples.Store(written)
				s.Consumer.Samples.Store(used)
				if first == "producer" {
					s.w = NewSampleWriter(s.Header, 0)
				}
				s.r = NewSampleReader(s.Header)
				if first == "consumer" {
					s.w = NewSampleWriter(s.Header, 0)
				}
				s.stage(1)
				s.stage(1)
				s.publish()
				at := s.take(0)
				s.release(s.tail)
				if !slices.Equal(at, []uint64{0, 16}) || s.w.Queued() != 0 {
					t.Errorf("%d written, %d used, the %s first: samples at %v, %d are queued", written, used, first, at, s.w.Queued())
				}
			}
		}
	}
}

// The same for a consumer after a hostile one, with a producer that is there all the time.
func TestSample_HostileUse_NextConsumerAgrees(t *testing.T) {
	for _, used := range []uint64{7, 5000, math.MaxUint64} {
		s := newStream()
		s.Consumer.Samples.Store(used)
		s.r = NewSampleReader(s.Header)
		s.stage(1)
		s.publish()
		if at := s.take(0); !slices.Equal(at, []uint64{0}) {
			t.Errorf("%d used: samples at %v", used, at)
		}
	}
}

// Whatever the peer stores, a position that Next returns is one of those it was asked for, and no
// call skips more entries than there are.
func TestSample_HostilePeer(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	value := func() uint64 {
		switch random.IntN(4) {
		case 0:
			return random.Uint64()
		case 1:
			return uint64(-random.Int64N(2000))
		}
		return uint64(random.Int64N(3000))
	}
	for range 300 {
		s := newStream()
		for i := range s.Samples {
			e := &s.Samples[i]
			e.Index.Store(value())
			e.DueAt.Store(value())
			e.PublishedAt.Store(value())
			e.Messages.Store(value())
		}
		head := uint64(1500) // some of the entries lie before it
		for range 10 {
			s.Producer.Samples.Store(value())
			if random.IntN(4) == 0 {
				s.r = NewSampleReader(s.Header)
			}
			seen, from := head+uint64(8*random.IntN(200)), s.r.next
			s.r.Refresh()
			next := s.r.Next(head, seen)
			if next-head > seen-head || s.r.next-from > layout.SampleSlots {
				t.Fatalf("from %d to %d: %d, after %d entries", head, seen, next, s.r.next-from)
			}
			if next == head && head < seen {
				s.r.Take(s.now)
			}
			head = min(next+8, seen)
			s.r.Count(head)
			if s.r.next-s.r.used > layout.SampleSlots {
				t.Fatalf("%d entries are taken and not counted", s.r.next-s.r.used)
			}

			s.Consumer.Samples.Store(value())
			if random.IntN(4) == 0 {
				s.w = NewSampleWriter(s.Header, value())
			}
			if n := s.w.Queued(); n > layout.SampleSlots {
				t.Fatalf("%d queued", n)
			} else if n < layout.SampleSlots {
				s.w.Stage(value(), value(), math.MaxUint64)
			}
			s.w.Publish(value())
		}
	}
}
