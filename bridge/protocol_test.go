package bridge

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/ring"
)

// storedBlock is a block in the stream of a simulation.
type storedBlock struct {
	jetstream.Msg // the methods that In does not call
	header        nats.Header
	data          []byte
	acked         bool
	lose          func() bool // whether the acknowledgement is lost
}

func (b *storedBlock) Headers() nats.Header { return b.header }
func (b *storedBlock) Data() []byte         { return b.data }
func (b *storedBlock) InProgress() error    { return nil }
func (b *storedBlock) Ack() error {
	b.acked = b.acked || !b.lose()
	return nil
}
func (b *storedBlock) DoubleAck(context.Context) error { return b.Ack() }

type fakeStream struct{ jetstream.Stream }

func (fakeStream) CachedInfo() *jetstream.StreamInfo {
	return &jetstream.StreamInfo{Created: time.Unix(1, 0)}
}

// simulation is a near ring without end, an Out that is refused, cut off and killed at any block, a
// stream, and a real In with a real far ring, whose acknowledgements are lost and that is replaced
// at any block.
type simulation struct {
	t interface {
		Helper()
		Fatal(args ...any)
	}
	draw   *rapid.T // nil = nothing is lost or refused
	ctx    context.Context
	name   string
	source uint64
	ring   shape

	acked  uint64 // released in the near ring
	stream []*storedBlock

	in   *inbound
	next int // index in stream of what the session of in delivers next

	reader *ring.Reader
	got    []uint64
	ends   []error
}

func (s *simulation) store(b block) {
	msg := b.message("s")
	s.stream = append(s.stream, &storedBlock{header: msg.Header, data: msg.Data, lose: func() bool {
		return s.draw != nil && rapid.IntRange(0, 9).Draw(s.draw, "lose the acknowledgement") == 0
	}})
}

// attempt sends blocks from the first one that is not acknowledged on, as far as to, each of which
// may be refused; and releases what was acknowledged without a gap.
func (s *simulation) attempt(to uint64, refuses bool) {
	contiguous, acked := true, s.acked
	for first := s.acked; first < to; {
		b := block{kind: kindMessages, source: s.source, first: first, acked: s.acked, ring: s.ring}
		b.count = min(to-first, uint64(rapid.IntRange(1, 20).Draw(s.draw, "messages of the block")))
		for k := range b.count {
			b.payload = appendRecord(b.payload, binary.LittleEndian.AppendUint64(nil, first+k))
		}
		fate := 3
		if refuses {
			fate = rapid.IntRange(0, 9).Draw(s.draw, "fate of the block")
		}
		if fate > 1 {
			s.store(b)
		}
		if contiguous = contiguous && fate > 2; contiguous {
			acked = b.next()
		}
		first = b.next()
	}
	s.acked = acked
}

func (s *simulation) open() {
	s.store(block{kind: kindOpen, source: s.source, first: s.acked, acked: s.acked, ring: s.ring})
}

// startIn begins with an In that knows nothing but what is in the header of the far ring.
func (s *simulation) startIn() {
	if s.in != nil && s.in.far != nil {
		if err := s.in.detach(layout.EndNone); err != nil {
			s.t.Fatal(err)
		}
	}
	s.in = &inbound{
		segment: s.name, workQueue: true, opt: InOptions{Follow: true},
		side: side{claim: new(claim), stream: fakeStream{}, note: func(string, ...any) {}},
	}
	s.next = 0
}

// deliver gives In up to n blocks, and takes what comes out of the far ring.
func (s *simulation) deliver(n int) {
	for ; n > 0 && s.next < len(s.stream); n-- {
		b := s.stream[s.next]
		s.next++
		if b.acked {
			n++
			continue
		}
		err := s.in.receive(s.ctx, b)
		s.drain()
		if errors.Is(err, errAgain) {
			s.in.delivery, s.in.placing, s.next = delivery{}, placing{}, 0
		} else if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *simulation) drain() {
	if s.in.far == nil && s.reader == nil {
		return
	}
	for {
		if s.reader == nil {
			r, err := ring.Open(s.ctx, s.name, ring.ReaderOptions{Follow: true, OnEnd: func(err error) { s.ends = append(s.ends, err) }})
			if err != nil {
				s.t.Fatal(err)
			}
			s.reader = r
		}
		msg, err := s.reader.TryNext()
		if errors.Is(err, ring.ErrEmpty) {
			return
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.got = append(s.got, binary.LittleEndian.Uint64(msg))
		s.reader.Release()
	}
}

func (s *simulation) close() {
	if s.reader != nil {
		s.reader.Close()
	}
	if s.in != nil && s.in.far != nil {
		s.in.detach(layout.EndNone)
	}
}

// send stores messages of a source, from a position on.
func (s *simulation) send(source, first, count uint64) {
	b := block{kind: kindMessages, source: source, first: first, acked: first, count: count, ring: s.ring}
	for k := range count {
		b.payload = appendRecord(b.payload, binary.LittleEndian.AppendUint64(nil, source*1000+first+k))
	}
	s.store(b)
}

func (s *simulation) end(source, position, generation uint64) {
	s.store(block{kind: kindEnd, source: source, first: position, acked: position, ring: s.ring, generation: generation, end: layout.EndComplete})
}

func (s *simulation) want(ends int, got ...uint64) {
	s.t.Helper()
	s.drain()
	if !slices.Equal(s.got, got) || len(s.ends) != ends {
		s.t.Fatal(fmt.Sprintf("the far ring has had %d ends (%v) and %v, want %d and %v", len(s.ends), s.ends, s.got, ends, got))
	}
	for _, err := range s.ends {
		if err != nil {
			s.t.Fatal("an end that is not complete: ", err)
		}
	}
}

func newSimulation(t *testing.T) *simulation {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s := &simulation{t: t, ctx: ctx, name: testenv.SegmentName(t), ring: shape{capacity: 1 << 20}}
	t.Cleanup(func() { s.close(); cancel() })
	return s
}

// The acknowledgement of the last block of a source can be lost, and another source have begun when
// it is delivered again.
func TestIn_BlockOfASourceThatIsOver_Skipped(t *testing.T) {
	s := newSimulation(t)
	s.startIn()
	s.send(1, 5, 2)
	s.end(1, 7, 1)
	s.send(2, 0, 1)
	s.deliver(3)
	s.want(1, 1005, 1006, 2000)
	s.stream[0].acked, s.stream[1].acked = false, false
	s.startIn()
	s.send(2, 1, 1)
	s.end(2, 2, 1)
	s.deliver(4)
	s.want(2, 1005, 1006, 2000, 2001)
}

// In knows that it has told an end, also when it was started again since without a message.
func TestIn_EndThatWasTold_NotToldAgain(t *testing.T) {
	s := newSimulation(t)
	s.in = nil
	s.startIn()
	s.send(1, 0, 1)
	s.end(1, 1, 1)
	s.deliver(2)
	s.want(1, 1000)
	for range 2 {
		s.startIn()
		if err := s.in.attach(s.ctx, s.ring); err != nil {
			t.Fatal(err)
		}
	}
	s.stream[1].acked = false
	s.deliver(2)
	s.want(1, 1000)
	s.send(2, 0, 1) // of another near ring: nothing has failed
	s.deliver(1)
	s.want(1, 1000, 2000)
}

func TestIn_AnyLossAndOrder_EachMessageOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := testenv.SegmentName(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		first := uint64(rapid.IntRange(0, 1000).Draw(rt, "position of the near ring"))
		s := &simulation{t: rt, draw: rt, ctx: ctx, name: name, source: 7, acked: first, ring: shape{capacity: 1 << 20}}
		defer s.close()
		s.open()
		// An In before this one has received the first block, and its ring is gone.
		s.stream[0].acked = rapid.Bool().Draw(rt, "the first block is gone")
		s.startIn()
		published := first
		for range rapid.IntRange(1, 12).Draw(rt, "rounds") {
			published += uint64(rapid.IntRange(0, 60).Draw(rt, "messages published"))
			s.attempt(published, true)
			switch rapid.IntRange(0, 5).Draw(rt, "what happens") {
			case 0: // Out is killed
				s.open()
			case 1: // In is killed
				s.startIn()
			case 2: // both
				s.startIn()
				s.open()
			}
			s.deliver(rapid.IntRange(0, 20).Draw(rt, "blocks delivered"))
		}
		s.attempt(published, false)
		for range 20 { // acknowledgements may be lost again
			s.startIn()
			s.deliver(len(s.stream) + 1)
		}
		if want := published - first; uint64(len(s.got)) != want {
			rt.Fatalf("%d messages in the far ring, want %d: %v", len(s.got), want, s.got)
		}
		for i, got := range s.got {
			if want := first + uint64(i); got != want {
				rt.Fatalf("message %d is %d, want %d: %v", i, got, want, s.got)
			}
		}
		for i, b := range s.stream {
			if !b.acked {
				rt.Errorf("block %d of %d stays in the stream", i, len(s.stream))
			}
		}
	})
}
