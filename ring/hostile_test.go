package ring

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"
	"time"

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
	const capacity = 4096
	store := func(at int, value uint64) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16(nil, uint16(at)), value)
	}
	f.Add([]byte{}, []byte{})
	for _, field := range layout.Fields() {
		at := int(field.Offset / 8)
		f.Add(store(at, math.MaxUint64), []byte{})
		f.Add([]byte{}, store(at, 1<<32+3))
	}
	for at := range 16 {
		f.Add([]byte{}, store(layout.HeaderSize/8+at, uint64(at)<<8))
		f.Add([]byte{}, store(0x8000/8+at, uint64(at)<<3)) // Samples
	}

	f.Fuzz(func(t *testing.T, before, between []byte) {
		mem := heapMemory(t, capacity, 0)
		header := words(mem.Header)
		scribble := func(script []byte) (rest []byte) {
			if len(script) < 10 {
				return nil
			}
			at, value := int(binary.LittleEndian.Uint16(script)), binary.LittleEndian.Uint64(script[2:])
			if at %= len(header) + capacity/8; at < len(header) {
				header[at].Store(value)
			} else {
				binary.LittleEndian.PutUint64(mem.Data[8*(at-len(header)):], value)
			}
			return script[10:]
		}
		w, r := writerOn(t, mem, WriterOptions{Spin: SpinNever}), readerOn(t, mem, ReaderOptions{Spin: SpinNever})
		send(t, w, "one", "another one", "")
		for len(before) > 0 {
			before = scribble(before)
		}
		g, err := mem.Header.Geometry(mem.Geometry.FileSize(), 4096)
		if documented(t, err); err != nil {
			return // shm.Open refuses it
		}
		mem.Geometry = g
		if next, err := NewWriter(mem, WriterOptions{Spin: SpinNever}); documented(t, err) {
			w = next
		}
		if next, err := NewReader(mem, ReaderOptions{Spin: SpinNever}); documented(t, err) {
			r = next
		}
		for round := 0; round < 50 && (round < 8 || len(between) > 0); round++ {
			between = scribble(between)
			msg, err := r.TryNext()
			if documented(t, err) && len(msg) > w.MaxMessage() {
				t.Fatalf("a message of %d bytes", len(msg))
			}
			_, err = r.Next(canceled)
			documented(t, err)
			between = scribble(between)
			if round%3 > 0 { // else as before
				w.SetDue(time.Now().Add(time.Duration(round-8) * time.Millisecond))
			} else if round%2 > 0 {
				w.SetDue(time.Time{})
			}
			if buf, err := w.TryReserve(round * 50); documented(t, err) {
				w.Commit(len(buf))
			}
			documented(t, w.Send(canceled, []byte("text")))
			between = scribble(between)
			w.Publish()
			r.Release()
		}
		err = w.Close()
		documented(t, err)
		err = r.Close()
		documented(t, err)
	})
}

// documented fails the test for an error that no documentation tells of, and
// reports whether there was none.
func documented(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return true
	}
	for _, known := range []error{
		io.EOF, ErrFull, ErrEmpty, ErrUnreleased, ErrClosed, ErrTooLarge, ErrCorrupt, ErrVersion, layout.ErrNotSegment, errWaited,
	} {
		if errors.Is(err, known) {
			return false
		}
	}
	t.Fatalf("undocumented: %v", err)
	return false
}
