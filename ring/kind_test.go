package ring

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"sluice/layout"
	"sluice/shm"
)

// kind is a kind of ring, with the ends that it has. What holds for all kinds is tested with each.
type kind struct {
	name     string
	slotSize uint64 // 0 = records

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
	byteSlots = kind{
		name: "slots of bytes", slotSize: textSize,
		newWriter: ends[writerEnd](func(mem Memory, opt WriterOptions) (byteWriter, error) {
			w, err := NewSlotWriter(mem, opt)
			return byteWriter{w}, err
		}),
		newReader: ends[readerEnd](func(mem Memory, opt ReaderOptions) (byteReader, error) {
			r, err := NewSlotReader(mem, opt)
			return byteReader{r}, err
		}),
		create: named[writerEnd](func(ctx context.Context, name string, opt WriterOptions) (byteWriter, error) {
			w, err := CreateSlots(ctx, name, textSize, opt)
			return byteWriter{w}, err
		}),
		open: named[readerEnd](func(ctx context.Context, name string, opt ReaderOptions) (byteReader, error) {
			r, err := OpenSlots(ctx, name, opt)
			return byteReader{r}, err
		}),
	}
	typedSlots = kind{
		name: "slots of a type", slotSize: textSize,
		newWriter: ends[writerEnd](func(mem Memory, opt WriterOptions) (textWriter, error) {
			w, err := NewWriterOf[text](mem, opt)
			return textWriter{w}, err
		}),
		newReader: ends[readerEnd](func(mem Memory, opt ReaderOptions) (textReader, error) {
			r, err := NewReaderOf[text](mem, opt)
			return textReader{r}, err
		}),
		create: named[writerEnd](func(ctx context.Context, name string, opt WriterOptions) (textWriter, error) {
			w, err := CreateOf[text](ctx, name, opt)
			return textWriter{w}, err
		}),
		open: named[readerEnd](func(ctx context.Context, name string, opt ReaderOptions) (textReader, error) {
			r, err := OpenOf[text](ctx, name, opt)
			return textReader{r}, err
		}),
	}
)

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

// text is what lies in a slot: a message of at most textSize bytes, and zeros behind it. Its size
// is no power of two.
type text [textSize]byte

const textSize = 24

func textOf(msg []byte) (v text) {
	if copy(v[:], msg) < len(msg) {
		panic(fmt.Sprintf("%q does not fit into a slot", msg))
	}
	return v
}

// slotMessage returns the message in a slot, which is as long as the slot at most.
func slotMessage(slot []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(slot, "\x00"), nil
}

// reserved returns a part of a slot that was reserved.
func reserved(slot []byte, n int, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	clear(slot)
	return slot[:n], nil
}

// byteWriter is a SlotWriter that sends texts.
type byteWriter struct{ *SlotWriter }

func (w byteWriter) Reserve(ctx context.Context, n int) ([]byte, error) {
	slot, err := w.SlotWriter.Reserve(ctx, textSize)
	return reserved(slot, n, err)
}

func (w byteWriter) TryReserve(n int) ([]byte, error) {
	slot, err := w.SlotWriter.TryReserve(textSize)
	return reserved(slot, n, err)
}

func (w byteWriter) Commit(int) { w.SlotWriter.Commit(textSize) }

func (w byteWriter) Send(ctx context.Context, msg []byte) error {
	v := textOf(msg)
	return w.SlotWriter.Send(ctx, v[:])
}

func (w byteWriter) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	all := make([][]byte, len(msgs))
	for i, msg := range msgs {
		v := textOf(msg)
		all[i] = v[:]
	}
	return w.SlotWriter.SendBatch(ctx, all)
}

// byteReader is a SlotReader that takes texts.
type byteReader struct{ *SlotReader }

func (r byteReader) Next(ctx context.Context) ([]byte, error) {
	return slotMessage(r.SlotReader.Next(ctx))
}

func (r byteReader) TryNext() ([]byte, error) { return slotMessage(r.SlotReader.TryNext()) }

func (r byteReader) Take(ctx context.Context) ([]byte, error) {
	return slotMessage(r.SlotReader.Take(ctx))
}

func (r byteReader) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	return slotMessage(r.SlotReader.Receive(ctx, buf))
}

func (r byteReader) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for slot, err := range r.SlotReader.Messages(ctx) {
			if !yield(slotMessage(slot, err)) {
				return
			}
		}
	}
}

// textWriter is a WriterOf that sends texts. A Commit of it publishes.
type textWriter struct{ *WriterOf[text] }

func (w textWriter) Reserve(ctx context.Context, n int) ([]byte, error) {
	slot, err := w.Slot(ctx)
	if err != nil {
		return nil, err
	}
	return reserved(slot[:], n, nil)
}

func (w textWriter) TryReserve(n int) ([]byte, error) {
	slot, err := w.TrySlot()
	if err != nil {
		return nil, err
	}
	return reserved(slot[:], n, nil)
}

func (w textWriter) Commit(int) { w.WriterOf.Publish() }
func (w textWriter) Discard()   {}
func (w textWriter) Publish()   {}

func (w textWriter) Send(ctx context.Context, msg []byte) error { return w.Push(ctx, textOf(msg)) }

func (w textWriter) SendBatch(ctx context.Context, msgs [][]byte) (int, error) {
	all := make([]text, len(msgs))
	for i, msg := range msgs {
		all[i] = textOf(msg)
	}
	return w.PushAll(ctx, all)
}

// textReader is a ReaderOf that takes texts.
type textReader struct{ *ReaderOf[text] }

func (r textReader) Next(ctx context.Context) ([]byte, error) {
	slot, err := r.ReaderOf.Next(ctx)
	if err != nil {
		return nil, err
	}
	return slotMessage(slot[:], nil)
}

func (r textReader) TryNext() ([]byte, error) {
	slot, err := r.ReaderOf.TryNext()
	if err != nil {
		return nil, err
	}
	return slotMessage(slot[:], nil)
}

func (r textReader) Take(ctx context.Context) ([]byte, error) {
	r.Release()
	return r.Next(ctx)
}

func (r textReader) Receive(ctx context.Context, buf []byte) ([]byte, error) {
	v, err := r.Pop(ctx)
	if err != nil {
		return nil, err
	}
	return slotMessage(append(buf[:0], v[:]...), nil)
}

func (r textReader) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return messages(ctx, r.Next, r.Release)
}

// sideOf returns what all ends share, of any.
func sideOf(end any) *side {
	switch end := end.(type) {
	case *Writer:
		return &end.side
	case byteWriter:
		return &end.side
	case textWriter:
		return &end.side
	case *Reader:
		return &end.side
	case byteReader:
		return &end.side
	case textReader:
		return &end.side
	}
	panic(fmt.Sprintf("%T is no end", end))
}

func samplerOf(w writerEnd) *sampler {
	switch w := w.(type) {
	case *Writer:
		return &w.sampler
	case byteWriter:
		return &w.sampler
	case textWriter:
		return &w.sampler
	}
	panic(fmt.Sprintf("%T is no writer", w))
}

// window waits for a window of an end with slots.
func window(end any) (err error) {
	switch end := end.(type) {
	case byteWriter:
		_, err = end.Window(context.Background(), 3)
	case textWriter:
		_, err = end.Window(context.Background(), 3)
	case byteReader:
		_, err = end.Window(context.Background(), 3)
	case textReader:
		_, err = end.Window(context.Background(), 3)
	}
	return err
}
