package ring

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
)

// held sends msgs through a ring of that many slots and takes them all.
func held(t *testing.T, slots uint64, msgs ...string) (*Writer, *Reader, [][]byte) {
	t.Helper()
	w, r, got := records.held(t, slots, msgs...)
	return w.(*Writer), r.(*Reader), got
}

func (k kind) held(t *testing.T, slots uint64, msgs ...string) (writerEnd, readerEnd, [][]byte) {
	t.Helper()
	name := testenv.SegmentName(t)
	w := k.creates(t, name, WriterOptions{Slots: slots})
	send(t, w, msgs...)
	r := k.opens(t, name, ReaderOptions{})
	var got [][]byte
	for range msgs {
		msg, err := r.Next(t.Context())
		wantErr(t, err, nil)
		got = append(got, msg)
	}
	return w, r, got
}

func TestReader_ReleaseN_ReleasesTheOldest(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, got := k.held(t, 4, "a", "", "ccc", "dddddddddddd")
		if r.Held() != 4 || w.Unread() != 4 {
			t.Fatalf("%d held, %d unread", r.Held(), w.Unread())
		}
		r.ReleaseN(0)
		_, err := w.TryReserve(1)
		wantErr(t, err, ErrFull)
		r.ReleaseN(3)
		if r.Held() != 1 || r.Released() != 3 || w.Unread() != 1 || string(got[3]) != "dddddddddddd" {
			t.Errorf("%d held, %d released, %d unread, the last is %q", r.Held(), r.Released(), w.Unread(), got[3])
		}
		released := &sideOf(r).ownCursor.Bytes
		if n := released.Load(); k.slotSize == 0 && n != 4 {
			t.Errorf("%d bytes released, want 4", n)
		}
		send(t, w, "e", "f", "g") // into the slots that are free now
		_, err = w.TryReserve(1)
		wantErr(t, err, ErrFull)
		r.ReleaseN(1)
		if n := released.Load(); r.Held() != 0 || k.slotSize == 0 && n != 16 {
			t.Errorf("%d held, %d bytes released", r.Held(), n)
		}
		// The next Reader begins at the oldest message that was not released.
		for range 2 {
			_, err := r.Next(t.Context())
			wantErr(t, err, nil)
		}
		r.ReleaseN(1)
		wantErr(t, r.Close(), nil)
		next := k.opens(t, r.Segment().Name(), ReaderOptions{})
		for _, want := range []string{"f", "g"} {
			msg, err := next.Next(t.Context())
			wantErr(t, err, nil)
			if string(msg) != want {
				t.Errorf("%q, want %q", msg, want)
			}
		}
	})
}

// Many times around a ring, in steps that differ.
func TestReader_ReleaseN_CountsAsReleaseDoes(t *testing.T) {
	name := testenv.SegmentName(t)
	w := create(t, name, WriterOptions{Capacity: layout.MinCapacity})
	r := open(t, name, ReaderOptions{})
	bytes := uint64(0)
	for i := range 20_000 {
		msg := make([]byte, i%50)
		bytes += uint64(len(msg))
		wantErr(t, w.Send(t.Context(), msg), nil)
		got, err := r.Next(t.Context())
		wantErr(t, err, nil)
		if len(got) != i%50 {
			t.Fatalf("message %d has %d bytes", i, len(got))
		}
		if r.Held() > i%20 {
			r.ReleaseN(r.Held() - i%20)
		}
	}
	r.ReleaseN(r.Held())
	if c := &r.mem.Header.Consumer; c.Index.Load() != w.index || c.Count.Load() != 20_000 || c.Bytes.Load() != bytes {
		t.Errorf("index %d of %d, count %d, bytes %d of %d", c.Index.Load(), w.index, c.Count.Load(), c.Bytes.Load(), bytes)
	}
}

func TestReader_ReleaseN_CorruptRecord(t *testing.T) {
	_, r, _ := held(t, 0, "a", "b", "c")
	r.mem.Data[0], r.mem.Data[3] = 0xff, 0xff // the length of the first
	r.ReleaseN(1)
	if r.Held() != 3 {
		t.Errorf("%d held, want 3: nothing was released", r.Held())
	}
	_, err := r.Next(t.Context())
	wantErr(t, err, ErrCorrupt)
	_, err = r.Take(t.Context())
	wantErr(t, err, ErrCorrupt)
}

func TestReader_ReleaseN_OutOfRange(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		_, r, _ := k.held(t, 0, "a", "b")
		for _, n := range []int{-1, 3} {
			if panics(func() { r.ReleaseN(n) }) == "" {
				t.Errorf("ReleaseN(%d) with 2 held does not panic", n)
			}
		}
	})
}

func TestWriter_Discard_SendsNothing(t *testing.T) {
	eachStaging(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		buf, err := w.Reserve(t.Context(), 10)
		wantErr(t, err, nil)
		copy(buf, "discarded!")
		w.Discard()
		w.Discard()
		w.Publish()
		if panics(func() { w.Commit(1) }) == "" {
			t.Error("Commit after Discard does not panic")
		}
		send(t, w, "sent")
		r := k.opens(t, name, ReaderOptions{})
		msg, err := r.Next(t.Context())
		wantErr(t, err, nil)
		if string(msg) != "sent" {
			t.Errorf("%q", msg)
		}
	})
}

func TestWriter_Abort_DropsWhatIsStagedAndFailsTheStream(t *testing.T) {
	eachStaging(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		send(t, w, "published")
		buf, err := w.Reserve(t.Context(), 6)
		wantErr(t, err, nil)
		w.Commit(copy(buf, "staged"))
		wantErr(t, w.Abort(), nil)
		if w.Unread() != 1 {
			t.Errorf("%d unread", w.Unread())
		}
		wantErr(t, w.Close(), nil)
		r := k.opens(t, name, ReaderOptions{})
		msg, err := r.Next(t.Context())
		wantErr(t, err, nil)
		if string(msg) != "published" {
			t.Errorf("%q", msg)
		}
		r.Release()
		_, err = r.Next(t.Context())
		wantErr(t, err, ErrIncomplete)
	})
}

func TestWriter_Drain_WaitsForTheRelease(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		name := testenv.SegmentName(t)
		w := k.creates(t, name, WriterOptions{})
		wantErr(t, w.Drain(t.Context()), nil) // nothing was sent
		buf, err := w.Reserve(t.Context(), 6)
		wantErr(t, err, nil)
		w.Commit(copy(buf, "staged"))

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		wantErr(t, w.Drain(ctx), context.DeadlineExceeded)
		if w.Unread() != 1 {
			t.Fatalf("%d unread: Drain has not published", w.Unread())
		}
		drained := testenv.Background(func() error { return w.Drain(context.Background()) })
		r := k.opens(t, name, ReaderOptions{})
		asleep(t, r.Segment().Header(), layout.Producer, 2)
		_, err = r.Next(t.Context())
		wantErr(t, err, nil)
		r.Release()
		wantErr(t, drained(), nil)
		wantErr(t, w.Close(), nil)
		_, err = r.Next(t.Context())
		wantErr(t, err, io.EOF)
		wantErr(t, w.Drain(t.Context()), ErrClosed)
	})
}

// panics returns what fn panics with, as text.
func panics(fn func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	fn()
	return ""
}
