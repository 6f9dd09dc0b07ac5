package ring

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// kind is a kind of ring, with the ends that it has. What holds for all kinds is tested with each.
type kind struct {
	name     string
	slotSize uint64 // 0 = records

	// commitPublishes: the two are one.
	commitPublishes bool

	newWriter func(Memory, WriterOptions) (writerEnd, error)
	newReader func(Memory, ReaderOptions) (readerEnd, error)
	create    func(ctx context.Context, name string, opt WriterOptions) (writerEnd, error)
	open      func(ctx context.Context, name string, opt ReaderOptions) (readerEnd, error)
}

// writerEnd and readerEnd are what the ends of all kinds have.
type writerEnd interface {
	Reserve(ctx context.Context, n int) ([]byte, error)
	TryReserve(n int) ([]byte, error)
	Commit(n int)
	Discard()
	Publish()
	Send(ctx context.Context, msg []byte) error
	SendBatch(ctx context.Context, msgs [][]byte) (int, error)
	SetDue(at time.Time)
	EndAs(layout.End)
	KeepEnd()
	Drain(context.Context) error
	Close() error
	Abort() error
	MaxMessage() int
	Published() uint64
	Resumed() uint64
	Unread() uint64
	Segment() *shm.Segment
}

type readerEnd interface {
	Next(context.Context) ([]byte, error)
	TryNext() ([]byte, error)
	Take(context.Context) ([]byte, error)
	Receive(ctx context.Context, buf []byte) ([]byte, error)
	NextBatch(ctx context.Context, msgs [][]byte, most int) (int, error)
	Messages(context.Context) iter.Seq2[[]byte, error]
	Release()
	ReleaseN(n int)
	Close() error
	Buffered() bool
	Held() int
	Released() uint64
	Unread() uint64
	Framing() layout.Framing
	Segment() *shm.Segment
}

var (
	records = kind{
		name:      "records",
		newWriter: ends[writerEnd](NewWriter), newReader: ends[readerEnd](NewReader),
		create: named[writerEnd](Create), open: named[readerEnd](Open),
	}
	byteSlots  = slotsOfBytes(24)
	typedSlots = slotsOf[[24]byte]()
)

// slotsOfBytes is the kind of slots that carry bytes, without a type. Their ends take messages as
// those of records do, of every size up to that of a slot: the rest of it is 0, so no message may
// end with a 0.
func slotsOfBytes(size uint64) kind {
	writer := func(w *SlotWriter, err error) (byteWriter, error) { return byteWriter{w}, err }
	reader := func(r *SlotReader, err error) (byteReader, error) { return byteReader{r}, err }
	return kind{
		name: "slots of bytes", slotSize: size,
		newWriter: ends[writerEnd](func(mem Memory, opt WriterOptions) (byteWriter, error) {
			return writer(NewSlotWriter(mem, opt))
		}),
		newReader: ends[readerEnd](func(mem Memory, opt ReaderOptions) (byteReader, error) {
			return reader(NewSlotReader(mem, opt))
		}),
		create: named[writerEnd](func(ctx context.Context, name string, opt WriterOptions) (byteWriter, error) {
			return writer(CreateSlots(ctx, name, size, opt))
		}),
		open: named[readerEnd](func(ctx context.Context, name string, opt ReaderOptions) (byteReader, error) {
			return reader(OpenSlots(ctx, name, opt))
		}),
	}
}

// slotsOf is the kind of slots that hold values of type T, whose ends take messages as those of
// slotsOfBytes do.
func slotsOf[T any]() kind {
	writer := func(w *WriterOf[T], err error) (valueWriter[T], error) { return valueWriter[T]{w}, err }
	reader := func(r *ReaderOf[T], err error) (valueReader[T], error) { return valueReader[T]{r}, err }
	return kind{
		name: "slots of a type", slotSize: uint64(len(bytesOf(new(T)))), commitPublishes: true,
		newWriter: ends[writerEnd](func(mem Memory, opt WriterOptions) (valueWriter[T], error) {
			return writer(NewWriterOf[T](mem, opt))
		}),
		newReader: ends[readerEnd](func(mem Memory, opt ReaderOptions) (valueReader[T], error) {
			return reader(NewReaderOf[T](mem, opt))
		}),
		create: named[writerEnd](func(ctx context.Context, name string, opt WriterOptions) (valueWriter[T], error) {
			return writer(CreateOf[T](ctx, name, opt))
		}),
		open: named[readerEnd](func(ctx context.Context, name string, opt ReaderOptions) (valueReader[T], error) {
			return reader(OpenOf[T](ctx, name, opt))
		}),
	}
}

// ends and named make functions that return an end of one kind those of a kind.
func ends[E, O, End any](make func(Memory, O) (End, error)) func(Memory, O) (E, error) {
	return func(mem Memory, opt O) (E, error) {
		end, err := make(mem, opt)
		return any(end).(E), err
	}
}

func named[E, O, End any](make func(context.Context, string, O) (End, error)) func(context.Context, string, O) (E, error) {
	return func(ctx context.Context, name string, opt O) (E, error) {
		end, err := make(ctx, name, opt)
		return any(end).(E), err
	}
}

// eachKind runs a test of what holds for all kinds of rings.
func eachKind(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range []kind{records, byteSlots, typedSlots} {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// eachStaging runs a test of what holds for all kinds in which Commit and Publish are two.
func eachStaging(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range []kind{records, byteSlots} {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// largest is how many bytes a message has at most, for a test that needs no larger ones.
func (k kind) largest() int {
	if k.slotSize == 0 {
		return 64
	}
	return int(k.slotSize)
}

// memory returns a ring on plain memory. With slots, capacity is the most bytes.
func (k kind) memory(t failer, capacity, slots uint64) Memory {
	t.Helper()
	if k.slotSize == 0 {
		return heapMemory(t, capacity, slots)
	}
	return heapSlots(t, k.slotSize, capacity, slots)
}

func (k kind) writerOn(t failer, mem Memory, opt WriterOptions) writerEnd {
	t.Helper()
	w, err := k.newWriter(mem, opt)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (k kind) readerOn(t failer, mem Memory, opt ReaderOptions) readerEnd {
	t.Helper()
	r, err := k.newReader(mem, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pair is both ends of a ring on plain memory.
func (k kind) pair(t failer, capacity, slots uint64, w WriterOptions, r ReaderOptions) (writerEnd, readerEnd, Memory) {
	t.Helper()
	mem := k.memory(t, capacity, slots)
	return k.writerOn(t, mem, w), k.readerOn(t, mem, r), mem
}

// creates and opens use a segment in /dev/shm; what is left of it goes with the test.
func (k kind) creates(t *testing.T, name string, opt WriterOptions) writerEnd {
	t.Helper()
	w, err := k.create(context.Background(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.Segment().Header() != nil { // else the test has killed it
			w.Close()
		}
	})
	return w
}

func (k kind) opens(t *testing.T, name string, opt ReaderOptions) readerEnd {
	t.Helper()
	r, err := k.open(context.Background(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// fill makes a slot that of a message.
func fill(slot, msg []byte) {
	if n := copy(slot, msg); n < len(msg) {
		panic(fmt.Sprintf("%d bytes do not fit into a slot of %d", len(msg), len(slot)))
	}
	clear(slot[len(msg):])
}

// filled is fill for messages that are sent by value.
func filled(size int, msg []byte) []byte {
	slot := make([]byte, size)
	fill(slot, msg)
	return slot
}

// taken returns the message in a slot.
func taken(slot []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(slot, "\x00"), nil
}

// reserved returns the part of a slot that was reserved.
func reserved(slot []byte, n int, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	clear(slot)
	return slot[:n], nil
}

type byteWriter struct{ *SlotWriter }

func (w byteWriter) Reserve(ctx context.Context, n int) ([]byte, error) {
	slot, err := w.SlotWriter.Reserve(ctx, w.MaxMessage())
	return reserved(slot, n, err)
}

func (w byteWriter) TryReserve(n int) ([]byte, error) {
	slot, err := w.SlotWriter.TryReserve(w.MaxMessage())
	return reserved(slot, n, err)
}

func (w byteWriter) Commit(int) { w.SlotWriter.Commit(w.MaxMessage()) }

func (w byteWriter) Send(ctx context.Context, msg []byte) error {
	return w.SlotWriter.Send(ctx, filled(w.MaxMessage(), msg))
}

func (w byteWriter) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	all := make([][]byte, len(msgs))
	for i, msg := range msgs {
		all[i] = filled(w.MaxMessage(), msg)
	}
	return w.SlotWriter.SendBatch(ctx, all)
}

func (w byteWriter) window(ctx context.Context, most int) ([][]byte, error) {
	all, err := w.SlotWriter.Window(ctx, most)
	return slices.Collect(slices.Chunk(all, w.MaxMessage())), err
}

type byteReader struct{ *SlotReader }

func (r byteReader) Next(ctx context.Context) ([]byte, error) { return taken(r.SlotReader.Next(ctx)) }
func (r byteReader) TryNext() ([]byte, error)                 { return taken(r.SlotReader.TryNext()) }
func (r byteReader) Take(ctx context.Context) ([]byte, error) { return taken(r.SlotReader.Take(ctx)) }

func (r byteReader) NextBatch(ctx context.Context, msgs [][]byte, most int) (int, error) {
	n, err := r.SlotReader.NextBatch(ctx, msgs, most)
	for i := range msgs[:n] {
		msgs[i], _ = taken(msgs[i], nil)
	}
	return n, err
}

func (r byteReader) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	return taken(r.SlotReader.Receive(ctx, buf))
}

func (r byteReader) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for slot, err := range r.SlotReader.Messages(ctx) {
			if !yield(taken(slot, err)) {
				return
			}
		}
	}
}

func (r byteReader) window(ctx context.Context, most int) ([][]byte, error) {
	all, err := r.SlotReader.Window(ctx, most)
	return slices.Collect(slices.Chunk(all, int(r.size))), err
}

// valueWriter has no Commit and Publish apart: its Commit publishes.
type valueWriter[T any] struct{ *WriterOf[T] }

func (w valueWriter[T]) Reserve(ctx context.Context, n int) ([]byte, error) {
	slot, err := w.Slot(ctx)
	return reserved(bytesOf(slot), n, err)
}

func (w valueWriter[T]) TryReserve(n int) ([]byte, error) {
	slot, err := w.TrySlot()
	return reserved(bytesOf(slot), n, err)
}

func (w valueWriter[T]) Commit(int) { w.WriterOf.Publish() }
func (w valueWriter[T]) Discard()   {}
func (w valueWriter[T]) Publish()   {}

func (w valueWriter[T]) Send(ctx context.Context, msg []byte) error {
	var v T
	fill(bytesOf(&v), msg)
	return w.Push(ctx, v)
}

func (w valueWriter[T]) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	all := make([]T, len(msgs))
	for i, msg := range msgs {
		fill(bytesOf(&all[i]), msg)
	}
	return w.PushAll(ctx, all)
}

func (w valueWriter[T]) window(ctx context.Context, most int) ([][]byte, error) {
	all, err := w.Window(ctx, most)
	return bytesOfAll(all), err
}

type valueReader[T any] struct{ *ReaderOf[T] }

func (r valueReader[T]) Next(ctx context.Context) ([]byte, error) {
	slot, err := r.ReaderOf.Next(ctx)
	return taken(bytesOf(slot), err)
}

func (r valueReader[T]) TryNext() ([]byte, error) {
	slot, err := r.ReaderOf.TryNext()
	return taken(bytesOf(slot), err)
}

func (r valueReader[T]) Take(ctx context.Context) ([]byte, error) {
	r.Release()
	return r.Next(ctx)
}

// NextBatch is for a test of what all kinds have: it takes one.
func (r valueReader[T]) NextBatch(ctx context.Context, msgs [][]byte, _ int) (n int, err error) {
	if len(msgs) > 0 {
		if msgs[0], err = r.Next(ctx); err == nil {
			n = 1
		}
	}
	return n, err
}

func (r valueReader[T]) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	v, err := r.Pop(ctx)
	return taken(append(buf[:0], bytesOf(&v)...), err)
}

func (r valueReader[T]) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return messages(ctx, r.Next, r.Release)
}

func (r valueReader[T]) window(ctx context.Context, most int) ([][]byte, error) {
	all, err := r.Window(ctx, most)
	return bytesOfAll(all), err
}

// values takes at most n values of a loop over them.
func (r valueReader[T]) values(ctx context.Context, n int) (all [][]byte, last error) {
	for v, err := range r.Values(ctx) {
		if err != nil {
			return all, err
		}
		msg, _ := taken(slices.Clone(bytesOf(&v)), nil)
		if all = append(all, msg); len(all) == n {
			break
		}
	}
	return all, nil
}

func bytesOfAll[T any](slots []T) (all [][]byte) {
	for i := range slots {
		all = append(all, bytesOf(&slots[i]))
	}
	return all
}

// windowEnd is what ends of slots have more than those of records.
type windowEnd interface {
	window(ctx context.Context, most int) ([][]byte, error)
}

// windowWriter is that of a Writer.
type windowWriter interface {
	windowEnd
	PublishN(n int)
}

// itself and samplerItself return what the ends of all kinds share.
func (s *side) itself() *side                 { return s }
func (w *writerSide) samplerItself() *sampler { return &w.sampler }

func sideOf(end any) *side { return end.(interface{ itself() *side }).itself() }
func samplerOf(w writerEnd) *sampler {
	return w.(interface{ samplerItself() *sampler }).samplerItself()
}

// window waits for a window of an end with slots.
func window(end any) error {
	_, err := end.(windowEnd).window(context.Background(), 3)
	return err
}
