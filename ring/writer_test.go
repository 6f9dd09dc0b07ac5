package ring

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"sluice/layout"
)

func TestWriter_Commit_InvisibleBeforePublish(t *testing.T) {
	eachStaging(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		buf, err := w.Reserve(canceled, 3)
		if err != nil {
			t.Fatal(err)
		}
		copy(buf, "abc")
		if _, err := r.TryNext(); err != ErrEmpty {
			t.Errorf("after Reserve: %v", err)
		}
		w.Commit(3)
		if _, err := r.TryNext(); err != ErrEmpty || mem.Header.Count(layout.Producer) != 0 {
			t.Errorf("after Commit: %v", err)
		}
		w.Publish()
		wantMessages(t, r, "abc")
	})
}

func TestWriter_Publish_EverythingStaged(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		for _, msg := range []string{"a", "", "ccc"} {
			buf, err := w.Reserve(canceled, len(msg))
			if err != nil {
				t.Fatal(err)
			}
			w.Commit(copy(buf, msg))
		}
		send(t, w, "with those before it")
		wantMessages(t, r, "a", "", "ccc", "with those before it")
	})
}

// Send has a short way for when nothing is staged.
func TestWriter_Send_PublishesStaged(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	for published := uint64(0); published < 100; published += 3 {
		for range 2 {
			if _, err := w.Reserve(canceled, 0); err != nil {
				t.Fatal(err)
			}
			w.Commit(0)
		}
		send(t, w, "last")
		if n := mem.Header.Producer.CountBefore.Load(); n != published {
			t.Fatalf("a kill in that publish would leave %d messages, want %d", n, published)
		}
		wantMessages(t, r, "", "", "last")
	}
}

func TestWriter_Commit_LessThanReserved(t *testing.T) {
	w, r, mem := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	for range 100 { // the rest goes back: else 100 of these would not fit
		buf, err := w.Reserve(canceled, 2000)
		if err != nil {
			t.Fatal(err)
		}
		w.Commit(copy(buf, "short"))
	}
	w.Publish()
	wantMessages(t, r, "short", "short")
	if n := mem.Header.Producer.Bytes.Load(); n != 500 {
		t.Errorf("%d payload bytes counted, want 500", n)
	}
}

func TestWriter_Reserve_ReplacesReservation(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 1, WriterOptions{}, ReaderOptions{})
		first, err := w.Reserve(canceled, w.MaxMessage())
		if err != nil {
			t.Fatal(err)
		}
		copy(first, "lost")
		second, err := w.Reserve(canceled, w.MaxMessage())
		if err != nil {
			t.Fatal(err)
		}
		w.Commit(copy(second, "kept"))
		w.Publish()
		wantMessages(t, r, "kept")
		if _, err := r.TryNext(); err != ErrEmpty {
			t.Error(err)
		}
	})
}

func TestWriter_Reserve_CapacityLimited(t *testing.T) {
	w, _, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	for range 100 { // the first by the slow way, most of the others by the fast one
		buf, err := w.Reserve(canceled, 5)
		if err != nil || len(buf) != 5 || cap(buf) != 5 {
			t.Errorf("len %d, cap %d, %v", len(buf), cap(buf), err)
		}
		w.Commit(5)
	}
}

func TestMisuse_Panics(t *testing.T) {
	for name, c := range map[string]struct {
		want   string
		misuse func(w *Writer)
	}{
		"Commit without Reserve":    {"ring: Commit(0) with 0 bytes reserved", func(w *Writer) { w.Commit(0) }},
		"Commit twice":              {"ring: Commit(8) with 0 bytes reserved", func(w *Writer) { w.Reserve(canceled, 8); w.Commit(8); w.Commit(8) }},
		"Commit more than reserved": {"ring: Commit(9) with 8 bytes reserved", func(w *Writer) { w.Reserve(canceled, 8); w.Commit(9) }},
		"Commit less than nothing":  {"ring: Commit(-1) with 8 bytes reserved", func(w *Writer) { w.Reserve(canceled, 8); w.Commit(-1) }},
		"Commit what was not given": {"ring: Commit(8) with 0 bytes reserved", func(w *Writer) { w.Reserve(canceled, 8); w.Reserve(canceled, 1<<20); w.Commit(8) }},
		"Reserve at first":          {"ring: Reserve(-1): negative size", func(w *Writer) { w.Reserve(canceled, -1) }},
		"Reserve the least":         {"ring: Reserve(-9223372036854775808): negative size", func(w *Writer) { w.Reserve(canceled, math.MinInt) }},
		"TryReserve":                {"ring: Reserve(-4611686018427387904): negative size", func(w *Writer) { w.TryReserve(-1 << 62) }},
		"Reserve with room for -1":  {"ring: Reserve(-1): negative size", func(w *Writer) { w.Send(canceled, nil); w.Reserve(canceled, -1) }},
		"Reserve with room for -9":  {"ring: Reserve(-9): negative size", func(w *Writer) { w.Send(canceled, nil); w.Reserve(canceled, -9) }},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
			defer func() {
				if got := fmt.Sprint(recover()); got != c.want {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			c.misuse(w)
		})
	}
}

func TestWriter_LargestMessage_FillsRing(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	if w.MaxMessage() != 4088 {
		t.Fatalf("MaxMessage is %d", w.MaxMessage())
	}
	_, err := w.Reserve(canceled, 4089)
	wantErr(t, err, ErrTooLarge)
	wantErr(t, w.Send(canceled, make([]byte, 5000)), ErrTooLarge)
	big := strings.Repeat("x", 4088)
	for range 3 { // at three different offsets, so that two run over the end
		send(t, w, big)
		wantErr(t, w.Send(canceled, nil), errWaited)
		wantMessages(t, r, big)
		r.Release()
		send(t, w, "small")
		wantMessages(t, r, "small")
		r.Release()
	}
}

func TestWriter_RingFull(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		full := func(policy Policy) (writerEnd, *layout.RoleStats) {
			w, _, mem := k.pair(t, 4096, 2, WriterOptions{OnFull: policy}, ReaderOptions{})
			send(t, w, "1", "2")
			if said := Policy(mem.Header.ProducerStats.OnFull.Load()); said != policy {
				t.Errorf("%v is said to be %v", policy, said)
			}
			return w, &mem.Header.ProducerStats
		}
		t.Run("blocks until the context says otherwise", func(t *testing.T) {
			w, side := full(Block)
			wantErr(t, w.Send(canceled, []byte("3")), errWaited)
			if side.Waits.Load() != 1 || side.Dropped.Load() != 0 || side.Refused.Load() != 0 {
				t.Errorf("waits %d, dropped %d, refused %d", side.Waits.Load(), side.Dropped.Load(), side.Refused.Load())
			}
		})
		t.Run("drops the newest and counts it", func(t *testing.T) {
			w, side := full(Drop)
			err := w.Send(canceled, []byte("3"))
			wantErr(t, err, ErrDropped)
			wantErr(t, err, ErrFull)
			if side.Waits.Load() != 0 || side.Dropped.Load() != 1 || side.Refused.Load() != 0 {
				t.Errorf("waits %d, dropped %d, refused %d", side.Waits.Load(), side.Dropped.Load(), side.Refused.Load())
			}
		})
		t.Run("fails and counts the refusal", func(t *testing.T) {
			w, side := full(Fail)
			err := w.Send(canceled, []byte("3"))
			if err != ErrFull || side.Waits.Load() != 0 || side.Dropped.Load() != 0 || side.Refused.Load() != 1 || side.RefusedMessages.Load() != 1 {
				t.Errorf("%v, waits %d, dropped %d, refused %d", err, side.Waits.Load(), side.Dropped.Load(), side.Refused.Load())
			}
		})
		t.Run("is nothing to count for TryReserve", func(t *testing.T) {
			for _, policy := range []Policy{Block, Drop, Fail} {
				w, side := full(policy)
				if _, err := w.TryReserve(1); err != ErrFull || side.Dropped.Load() != 0 || side.RefusedMessages.Load() != 0 {
					t.Errorf("%v, dropped %d, given up %d", err, side.Dropped.Load(), side.RefusedMessages.Load())
				}
			}
		})
		t.Run("counts the message of a batch that is given up, and not those after it", func(t *testing.T) {
			w, side := full(Fail)
			if n, err := w.SendBatch(canceled, [][]byte{nil, nil, nil}); n != 0 || err != ErrFull || side.RefusedMessages.Load() != 1 {
				t.Errorf("%d, %v, given up %d", n, err, side.RefusedMessages.Load())
			}
		})
	})
}

func TestWriter_HighWater(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, mem := k.pair(t, 4096, 8, WriterOptions{OnFull: Fail}, ReaderOptions{})
		for round := range 3 {
			for w.Send(canceled, nil) == nil {
			}
			if n := mem.Header.ProducerStats.HighWater.Load(); n != 8 {
				t.Errorf("round %d: %d, want 8", round, n)
			}
			wantMessages(t, r, "", "", "")
			r.Release()
		}
	})
}

func TestWriter_RingFull_RoomAfterRelease(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, slots := range []uint64{1, 2, 8} {
			w, r, _ := k.pair(t, 4096, slots, WriterOptions{}, ReaderOptions{})
			for range slots {
				send(t, w, "m")
			}
			wantErr(t, w.Send(canceled, nil), errWaited)
			wantMessages(t, r, "m")
			wantErr(t, w.Send(canceled, nil), errWaited) // taken is not released
			r.Release()
			send(t, w, "n")
			wantErr(t, w.Send(canceled, nil), errWaited)
		}
	})
}

// A producer that sleeps on staged messages would wait for a consumer that
// cannot see them.
func TestWriter_Waits_PublishesStagedFirst(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		for _, policy := range []Policy{Block, Drop, Fail} {
			w, r, _ := k.pair(t, 4096, 2, WriterOptions{OnFull: policy}, ReaderOptions{})
			for range 2 {
				if _, err := w.Reserve(canceled, 0); err != nil {
					t.Fatal(err)
				}
				w.Commit(0)
			}
			if _, err := w.Reserve(canceled, 0); err == nil {
				t.Fatal("a third fits")
			}
			wantMessages(t, r, "", "")
		}
	})
}

func TestWriter_SendBatch_AcceptedCount(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 3, WriterOptions{OnFull: Fail}, ReaderOptions{})
		n, err := w.SendBatch(context.Background(), [][]byte{[]byte("1"), []byte("2"), []byte("3"), []byte("4")})
		if n != 3 || err != ErrFull {
			t.Errorf("%d, %v", n, err)
		}
		wantMessages(t, r, "1", "2", "3")
		r.Release()
		if n, err := w.SendBatch(context.Background(), [][]byte{[]byte("5"), []byte("6")}); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		wantMessages(t, r, "5", "6")
		if n, err := w.SendBatch(context.Background(), nil); n != 0 || err != nil {
			t.Errorf("an empty batch: %d, %v", n, err)
		}
	})
}

func TestWriter_Reserve_Fails_StreamIntact(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	a, b := strings.Repeat("a", 2000), strings.Repeat("b", 2000)
	send(t, w, a, b)
	wantErr(t, w.Send(canceled, []byte(a)), errWaited)
	wantMessages(t, r, a, b)
	r.Release()
	send(t, w, "c")
	wantMessages(t, r, "c")
}

func TestWriter_AfterClose_ErrClosed(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		send(t, w, "last")
		if err := w.Close(); w.Unread() != 1 || err != nil {
			t.Errorf("%d unread, %v", w.Unread(), err)
		}
		_, err := w.Reserve(canceled, 0)
		wantErr(t, err, ErrClosed)
		wantErr(t, err, os.ErrClosed)
		_, err = w.TryReserve(1)
		wantErr(t, err, ErrClosed)
		wantErr(t, w.Send(canceled, nil), ErrClosed)
		if n, err := w.SendBatch(canceled, [][]byte{nil}); n != 0 {
			t.Error(n, err)
		}
		w.Publish()
		if err := w.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		wantMessages(t, r, "last")
	})
}

func TestWriter_Close_PublishesStaged(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		w, r, _ := k.pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
		buf, err := w.Reserve(canceled, 4)
		if err != nil {
			t.Fatal(err)
		}
		w.Commit(copy(buf, "last"))
		w.Close()
		wantMessages(t, r, "last")
		if _, err := r.TryNext(); err != io.EOF {
			t.Error(err)
		}
	})
}

func TestWriter_EverySizeAndOffset_Intact(t *testing.T) {
	w, r, _ := pair(t, 4096, 0, WriterOptions{}, ReaderOptions{})
	var seq byte
	for size := range 1200 {
		msg := bytes.Repeat([]byte{seq}, size)
		seq += 7
		if err := w.Send(canceled, msg); err != nil {
			t.Fatal(err)
		}
		got, err := r.Take(canceled)
		if err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("size %d: %d bytes, %v", size, len(got), err)
		}
		r.Release()
	}
}

// A ring that drops looks at its Reader for every message: what it has found before goes for the
// same room only.
func TestWriter_Drop_RoomFoundAtOnce(t *testing.T) {
	for _, slots := range []uint64{0, 4} {
		w, r, mem := pair(t, 4096, slots, WriterOptions{OnFull: Drop}, ReaderOptions{})
		for n := uint64(1); n <= 3; n++ {
			var err error
			for err == nil {
				err = w.Send(canceled, make([]byte, 1000))
			}
			wantErr(t, err, ErrDropped)
			wantErr(t, w.Send(canceled, make([]byte, 1001)), ErrDropped)
			wantErr(t, w.Send(canceled, make([]byte, w.MaxMessage()+1)), ErrTooLarge)
			if slots == 0 {
				send(t, w, "smaller")
				wantErr(t, w.Send(canceled, make([]byte, 1000)), ErrDropped)
			}
			if side := &mem.Header.ProducerStats; side.Dropped.Load() != w.Dropped() || side.HighWater.Load() != w.staged-r.count {
				t.Errorf("dropped %d, Dropped %d; at most %d messages, there are %d", side.Dropped.Load(), w.Dropped(), side.HighWater.Load(), w.staged-r.count)
			}
			if _, err := r.Next(canceled); err != nil {
				t.Fatal(err)
			}
			r.Release()
		}
		send(t, w, string(make([]byte, 1000)))
		wantErr(t, w.Send(canceled, make([]byte, 1000)), ErrDropped)
		w.Close()
		wantErr(t, w.Send(canceled, make([]byte, 1000)), ErrClosed)
	}
}
