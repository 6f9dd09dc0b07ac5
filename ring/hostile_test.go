package ring

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/internal/mapping"
	"sluice/internal/testenv"
	"sluice/layout"
)

// The peer is another process and may write anything. Each case is something
// that it wrote and what the next call says to it.
func TestPeer_InvalidValues_ErrCorrupt(t *testing.T) {
	word := func(mem Memory, at, value uint64) { binary.LittleEndian.PutUint64(mem.Data[at:], value) }
	next := func(_ *Writer, r *Reader) error { _, err := r.TryNext(); return err }
	reserve := func(w *Writer, _ *Reader) error { _, err := w.TryReserve(4088); return err }
	attachWriter := func(w *Writer, _ *Reader) error { _, err := NewWriter(w.mem, WriterOptions{}); return err }
	attachReader := func(_ *Writer, r *Reader) error { _, err := NewReader(r.mem, ReaderOptions{}); return err }

	for name, c := range map[string]struct {
		scribble func(h *layout.Header, mem Memory)
		call     func(*Writer, *Reader) error
	}{
		"more published than the ring holds": {func(h *layout.Header, _ Memory) { h.Producer.Index.Store(4096 + 64) }, next},
		"published in half words":            {func(h *layout.Header, _ Memory) { h.Producer.Index.Store(28) }, next},
		"taken back what was published":      {func(h *layout.Header, _ Memory) { h.Producer.Index.Store(math.MaxUint64 - 7) }, next},

		"a length beyond what is published": {func(_ *layout.Header, m Memory) { word(m, 0, 100) }, next},
		"a length beyond the ring":          {func(_ *layout.Header, m Memory) { word(m, 0, 4096) }, next},
		"a length that overflows":           {func(_ *layout.Header, m Memory) { word(m, 0, math.MaxUint64) }, next},
		"a length that just overflows":      {func(_ *layout.Header, m Memory) { word(m, 0, math.MaxUint64-14) }, next},
		"the largest length of 32 bits":     {func(_ *layout.Header, m Memory) { word(m, 0, math.MaxUint32) }, next},
		"a length of more than 32 bits":     {func(_ *layout.Header, m Memory) { word(m, 0, 8|1<<32) }, next},

		"more read than was written":    {func(h *layout.Header, _ Memory) { h.Consumer.Index.Store(1 << 20) }, reserve},
		"read back to long ago":         {func(h *layout.Header, _ Memory) { h.Consumer.Index.Store(math.MaxUint64 - 4095) }, reserve},
		"read in half words":            {func(h *layout.Header, _ Memory) { h.Consumer.Index.Store(4) }, reserve},
		"more messages than can be":     {func(h *layout.Header, _ Memory) { h.Consumer.Count.Store(math.MaxUint64 - 1000) }, reserve},
		"more messages taken than sent": {func(h *layout.Header, _ Memory) { h.Consumer.Count.Store(99) }, reserve},

		"a successor of a wild writer":           {func(h *layout.Header, _ Memory) { h.Producer.Index.Store(1 << 30) }, attachWriter},
		"a writer between two words":             {func(h *layout.Header, _ Memory) { h.Producer.Index.Store(28); h.Consumer.Index.Store(4) }, attachWriter},
		"a successor of a wild reader":           {func(h *layout.Header, _ Memory) { h.Consumer.Index.Store(1 << 30) }, attachReader},
		"a reader between two words":             {func(h *layout.Header, _ Memory) { h.Producer.Index.Store(28); h.Consumer.Index.Store(4) }, attachReader},
		"a reader with more messages than bytes": {func(h *layout.Header, _ Memory) { h.Producer.Count.Store(4097) }, attachReader},
		"a writer with a count that went down": {func(h *layout.Header, _ Memory) {
			h.Producer.CountBefore.Store(0)
			h.Producer.NextIndex.Store(0)
			h.Consumer.Count.Store(7)
		}, attachWriter},
		"a reader that has read more than it may": {func(h *layout.Header, _ Memory) { h.Consumer.Count.Store(2) }, attachReader},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
			send(t, w, "12345678")
			c.scribble(mem.Header, mem)
			err := c.call(w, r)
			wantErr(t, err, ErrCorrupt)
			wantErr(t, c.call(w, r), ErrCorrupt) // and again: it is not forgotten
		})
	}
}

// The same with fixed slots, where only the two indices can be wrong: every call finds that.
func TestPeer_InvalidIndexOfSlots_EveryCallErrCorrupt(t *testing.T) {
	const slots = 4
	writes := map[string]func(w writerEnd) error{
		"Reserve":    func(w writerEnd) error { _, err := w.Reserve(canceled, 1); return err },
		"TryReserve": func(w writerEnd) error { _, err := w.TryReserve(1); return err },
		"Send":       func(w writerEnd) error { return w.Send(canceled, []byte("x")) },
		"SendBatch":  func(w writerEnd) error { _, err := w.SendBatch(canceled, [][]byte{{1}, {2}}); return err },
		"Window":     func(w writerEnd) error { return window(w) },
		"Drain":      func(w writerEnd) error { return w.Drain(canceled) },
	}
	reads := map[string]func(r readerEnd) error{
		"Next":    func(r readerEnd) error { _, err := r.Next(canceled); return err },
		"TryNext": func(r readerEnd) error { _, err := r.TryNext(); return err },
		"Receive": func(r readerEnd) error { _, err := r.Receive(canceled, nil); return err },
		"Window":  func(r readerEnd) error { return window(r) },
		"Messages": func(r readerEnd) (last error) {
			for _, last = range r.Messages(canceled) {
			}
			return last
		},
		"Values": func(r readerEnd) error {
			if end, ok := r.(valuesEnd); ok {
				_, err := end.values(canceled, 1)
				return err
			}
			return ErrCorrupt // it has none
		},
	}
	for _, k := range []kind{byteSlots, typedSlots} {
		// Two messages were released and one is held, of three or of all that there is room for.
		start := func(t *testing.T, all bool) (writerEnd, readerEnd, Memory) {
			w, r, mem := k.pair(t, 0, slots, WriterOptions{}, ReaderOptions{})
			send(t, w, "a", "b", "c")
			wantMessages(t, r, "a", "b")
			r.Release()
			wantMessages(t, r, "c")
			for all && w.Send(canceled, []byte("x")) == nil {
			}
			return w, r, mem
		}
		for index, what := range map[uint64]string{2 + slots + 1: "more than there are slots", 1: "less than is released", 2: "less than is held", math.MaxUint64: "none"} {
			for name, call := range reads {
				t.Run(fmt.Sprintf("%s, published %s, %s", k.name, what, name), func(t *testing.T) {
					_, r, mem := start(t, false)
					mem.Header.Producer.Index.Store(index)
					wantErr(t, call(r), ErrCorrupt)
					wantErr(t, call(r), ErrCorrupt) // and again: it is not forgotten
				})
			}
		}
		for index, what := range map[uint64]string{2 + slots + 1: "more than is published", 1: "less than before", math.MaxUint64: "none"} {
			for name, call := range writes {
				t.Run(fmt.Sprintf("%s, released %s, %s", k.name, what, name), func(t *testing.T) {
					w, _, mem := start(t, true)
					mem.Header.Consumer.Index.Store(index)
					wantErr(t, call(w), ErrCorrupt)
					wantErr(t, call(w), ErrCorrupt)
				})
			}
			t.Run(fmt.Sprintf("%s, released %s, successors", k.name, what), func(t *testing.T) {
				_, _, mem := start(t, true)
				mem.Header.Consumer.Index.Store(index)
				_, err := k.newWriter(mem, WriterOptions{})
				wantErr(t, err, ErrCorrupt)
				_, err = k.newReader(mem, ReaderOptions{})
				wantErr(t, err, ErrCorrupt)
			})
		}
	}
}

// Whatever a peer stores in the words by which the two sides sleep and wake, a call that waits
// keeps its deadline.
func TestPeer_WildSleepWords_WaitEnds(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for name, wait := range map[string]func(ctx context.Context, w writerEnd, r readerEnd) error{
			"for a message": func(ctx context.Context, _ writerEnd, r readerEnd) error { _, err := r.Next(ctx); return err },
			"for room":      func(ctx context.Context, w writerEnd, _ readerEnd) error { return w.Send(ctx, []byte("x")) },
			"in Drain":      func(ctx context.Context, w writerEnd, _ readerEnd) error { return w.Drain(ctx) },
		} {
			t.Run(name, func(t *testing.T) {
				segment := testenv.SegmentName(t)
				w := k.creates(t, segment, WriterOptions{Slots: 3, Spin: SpinNever})
				r := k.opens(t, segment, ReaderOptions{Spin: SpinNever})
				for name != "for a message" && w.Send(canceled, []byte("x")) == nil {
				}
				ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errWaited)
				defer cancel()
				waiting := make(chan error)
				go func() { waiting <- wait(ctx, w, r) }()
				h, tooLong := w.Segment().Header(), time.After(testenv.Timeout)
				for stores := 0; ; stores++ {
					select {
					case err := <-waiting:
						wantErr(t, err, errWaited)
						return
					case <-tooLong:
						t.Fatal("it still waits")
					default:
					}
					sleep := []*layout.SleepState{&h.ProducerSleep, &h.ConsumerSleep}[rand.IntN(2)]
					word := []*layout.Uint64{&sleep.Flag, &sleep.Index, &sleep.Count}[rand.IntN(3)]
					word.Store([]uint64{0, 1, rand.Uint64(), math.MaxUint64}[rand.IntN(4)])
					if stores%100 == 0 {
						time.Sleep(100 * time.Microsecond)
					}
				}
			})
		}
	})
}

func TestReader_IndexGoesBack_HeldMessageNotTakenTwice(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	send(t, w, "a", "b")
	wantMessages(t, r, "a", "b")
	mem.Header.Producer.Index.Store(16)
	_, err := r.TryNext()
	wantErr(t, err, ErrCorrupt)
}

// FuzzHostileHeader lets a hostile peer write anywhere, before this side
// attaches and between its calls. Whatever it writes, calls return messages
// that lie in the ring, or one of the documented errors. A panic, a fault or a
// call that does not return is a failure.
//
// Ten bytes of script are one store: two for the place, eight for the value.
func FuzzHostileHeader(f *testing.F) {
	for _, s := range hostileScripts() {
		f.Add(s.before, s.between)
	}
	f.Fuzz(func(t *testing.T, before, between []byte) { hostilePeer(t, records, before, between) })
}

// FuzzHostileSlots is FuzzHostileHeader for fixed slots, of a size and with ends that which says.
func FuzzHostileSlots(f *testing.F) {
	kinds := []kind{slotsOfBytes(1), slotsOfBytes(24), slotsOfBytes(1000), slotsOf[uint8](), slotsOf[[3]uint64](), slotsOf[[1000]byte]()}
	for i, s := range hostileScripts() {
		f.Add(byte(i), s.before, s.between)
		f.Add(byte(i+1), s.before, s.between)
	}
	f.Fuzz(func(t *testing.T, which byte, before, between []byte) {
		hostilePeer(t, kinds[int(which)%len(kinds)], before, between)
	})
}

// script is what a hostile peer stores before this side attaches, and between its calls.
type script struct{ before, between []byte }

// hostileScripts store to every field of the header, and to the first words of the ring.
func hostileScripts() []script {
	store := func(at int, value uint64) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16(nil, uint16(at)), value)
	}
	all := []script{{}}
	for _, field := range layout.Fields() {
		at := int(field.Offset / 8)
		all = append(all, script{before: store(at, math.MaxUint64)}, script{between: store(at, 1<<32+3)})
	}
	for at := range 16 {
		data, sample := layout.HeaderSize/8+at, 0x8000/8+at
		all = append(all, script{between: store(data, uint64(at)<<8)}, script{between: store(sample, uint64(at)<<3)})
	}
	return all
}

func hostilePeer(t *testing.T, k kind, before, between []byte) {
	mem := k.memory(t, 4096, 0)
	header := words(mem.Header)
	scribble := func(script []byte) (rest []byte) {
		if len(script) < 10 {
			return nil
		}
		at, value := int(binary.LittleEndian.Uint16(script)), binary.LittleEndian.Uint64(script[2:])
		if at %= len(header) + 4096/8; at < len(header) {
			header[at].Store(value)
		} else {
			binary.LittleEndian.PutUint64(mem.Data[8*(at-len(header)):], value)
		}
		return script[10:]
	}
	w, r := k.writerOn(t, mem, WriterOptions{Spin: SpinNever}), k.readerOn(t, mem, ReaderOptions{Spin: SpinNever})
	text := func(s string) []byte { return []byte(s)[:min(len(s), w.MaxMessage())] }
	send(t, w, string(text("one")), string(text("another one")), "")
	for len(before) > 0 {
		before = scribble(before)
	}
	g, err := mem.Header.Geometry(mem.Geometry.FileSize(), 4096)
	if documented(t, err); err != nil {
		return // shm.Open refuses it
	}
	mem.Geometry = g
	peek := func() {
		from := peekMemory{mem, func() { between = scribble(between) }}
		most := 40 // a ring may have thousands
		for msg, err := range Peek(from, 100) {
			if most--; most == 0 {
				break
			}
			if documented(t, err) && (uint64(msg.Size) > g.Capacity || len(msg.Start) > min(msg.Size, 100)) {
				t.Fatalf("Peek: %d bytes, %d of them read", msg.Size, len(msg.Start))
			}
		}
	}
	peek()
	if next, err := k.newWriter(mem, WriterOptions{Spin: SpinNever}); documented(t, err) {
		w = next
	}
	if next, err := k.newReader(mem, ReaderOptions{Spin: SpinNever}); documented(t, err) {
		r = next
	}
	inRing := func(what string, msg []byte, err error) {
		t.Helper()
		if !documented(t, err) {
			return
		}
		if _, ok := mapping.Offset(mem.Data, msg); len(msg) > w.MaxMessage() || len(msg) > 0 && !ok {
			t.Fatalf("%s: %d bytes, in the ring: %v", what, len(msg), ok)
		}
	}
	for round := 0; round < 50 && (round < 8 || len(between) > 0); round++ {
		between = scribble(between)
		msg, err := r.TryNext()
		inRing("TryNext", msg, err)
		msg, err = r.Next(canceled)
		inRing("Next", msg, err)
		between = scribble(between)
		if round%3 > 0 { // else as before
			w.SetDue(time.Now().Add(time.Duration(round-8) * time.Millisecond))
		} else if round%2 > 0 {
			w.SetDue(time.Time{})
		}
		buf, err := w.TryReserve(min(round*50, w.MaxMessage()))
		inRing("TryReserve", buf, err)
		if err == nil {
			w.Commit(len(buf))
		}
		documented(t, w.Send(canceled, text("text")))
		peek()
		between = scribble(between)
		w.Publish()
		if end, ok := w.(windowWriter); ok {
			window, err := end.window(canceled, round+1)
			for _, slot := range window {
				inRing("a window to write", slot, err)
				fill(slot, text("slot"))
			}
			between = scribble(between)
			if documented(t, err) {
				end.PublishN(len(window))
			}
		}
		if end, ok := r.(windowEnd); ok {
			window, err := end.window(canceled, round+1)
			documented(t, err)
			for _, slot := range window {
				inRing("a window to read", slot, err)
			}
			r.ReleaseN(min(round, r.Held()))
		}
		_, err = w.SendBatch(canceled, [][]byte{text("a"), text("batch")})
		documented(t, err)
		between = scribble(between)
		_, err = r.Receive(canceled, nil)
		documented(t, err)
		if end, ok := r.(valuesEnd); ok {
			_, err := end.values(canceled, round)
			documented(t, err)
		}
		if most := mem.Geometry.Capacity; uint64(r.Held()) > most || w.Unread() > most || r.Unread() > most {
			t.Fatalf("%d held, %d and %d unread", r.Held(), w.Unread(), r.Unread())
		}
		r.Release()
	}
	documented(t, w.Drain(canceled))
	documented(t, w.Close())
	documented(t, r.Close())
}

// documented fails the test for an error that no documentation tells of, and
// reports whether there was none.
func documented(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return true
	}
	for _, known := range []error{
		io.EOF, ErrFull, ErrEmpty, ErrUnreleased, ErrClosed, ErrTooLarge, ErrCorrupt, ErrVersion, ErrType, ErrRemoved, ErrMoving, layout.ErrNotSegment, errWaited,
	} {
		if errors.Is(err, known) {
			return false
		}
	}
	t.Fatalf("undocumented: %v", err)
	return false
}
