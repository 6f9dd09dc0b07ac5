package ring

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// pattern fills a slot as message number i.
func pattern(slot []byte, i uint64) []byte {
	for at := range slot {
		slot[at] = byte(i) + byte(at>>8) + byte(at)
	}
	return slot
}

// A segment with slots of any size and number is used several times around, in both ways.
func TestSlots_EverySizeAndNumber(t *testing.T) {
	for _, size := range []uint64{1, 3, 4, 8, 24, 64, 4096, 5000, 1 << 20} {
		for _, number := range []uint64{1, 6, 8} {
			t.Run(fmt.Sprintf("%d of %d bytes", number, size), func(t *testing.T) {
				k := slotsOfBytes(size)
				name := testenv.SegmentName(t)
				w, r := k.creates(t, name, WriterOptions{Slots: number}).(byteWriter), k.opens(t, name, ReaderOptions{}).(byteReader)
				g := w.Segment().Geometry()
				if n := g.MaxMessages(); n != number || w.MaxMessage() != int(size) || g.FileSize() > layout.HeaderSize+int64(8*size+4095) {
					t.Errorf("%d messages of %d bytes, the file has %d bytes", n, w.MaxMessage(), g.FileSize())
				}
				want := make([]byte, size)
				for i := range 3 * number {
					for n := range number { // as many as there is room for
						buf, err := w.SlotWriter.Reserve(canceled, int(size))
						wantErr(t, err, nil)
						pattern(buf, i+n)
						w.SlotWriter.Commit(int(size))
					}
					_, err := w.SlotWriter.Reserve(canceled, int(size))
					wantErr(t, err, errWaited)
					for n := range number {
						if got, err := r.SlotReader.Next(canceled); err != nil || !bytes.Equal(got, pattern(want, i+n)) {
							t.Fatalf("message %d of round %d: % .20x, %v", n, i, got, err)
						}
					}
					r.Release()
					// One more, so that the next round begins at another slot.
					wantErr(t, w.SlotWriter.Send(canceled, pattern(want, i)), nil)
					if got, err := r.SlotReader.Receive(canceled, nil); err != nil || !bytes.Equal(got, pattern(want, i)) {
						t.Fatalf("% .20x, %v", got, err)
					}
				}
			})
		}
	}
}

func TestSlotWriter_OtherSize_ErrSize(t *testing.T) {
	mem := heapSlots(t, 8, 0, 4)
	w, err := NewSlotWriter(mem, WriterOptions{})
	wantErr(t, err, nil)
	r, err := NewSlotReader(mem, ReaderOptions{})
	wantErr(t, err, nil)
	for _, n := range []int{0, 7, 9, 1 << 30} {
		_, err := w.Reserve(canceled, 8)
		wantErr(t, err, nil)
		_, err = w.Reserve(canceled, n)
		wantErr(t, err, ErrSize)
		if want := fmt.Sprintf("%d bytes, every message has 8", n); !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if panics(func() { w.Commit(8) }) == "" {
			t.Error("the reservation before it was not dropped")
		}
		_, err = w.TryReserve(n)
		wantErr(t, err, ErrSize)
	}
	wantErr(t, w.Send(canceled, []byte("too long.")), ErrSize)
	n, err := w.SendBatch(canceled, [][]byte{[]byte("8 bytes."), []byte("short"), []byte("8 bytes.")})
	if n != 1 {
		t.Errorf("%d of the batch were sent", n)
	}
	wantErr(t, err, ErrSize)
	if msg, err := r.TryNext(); string(msg) != "8 bytes." || err != nil {
		t.Errorf("%q, %v", msg, err)
	}
	_, err = r.TryNext()
	wantErr(t, err, ErrEmpty)
	if side := &mem.Header.ProducerStats; side.Dropped.Load() != 0 || side.Refused.Load() != 0 {
		t.Error("it is counted")
	}
}

// A misuse panics, and leaves the end as it was: Close does not wait for that call.
func TestSlots_Misuse_Panics(t *testing.T) {
	for name, c := range map[string]struct {
		want   string
		misuse func(b *SlotWriter, v *WriterOf[uint64], r *ReaderOf[uint64])
	}{
		"Commit without Reserve": {"ring: Commit(8) without a reservation", func(b *SlotWriter, _ *WriterOf[uint64], _ *ReaderOf[uint64]) { b.Commit(8) }},
		"Commit twice": {"ring: Commit(8) without a reservation", func(b *SlotWriter, _ *WriterOf[uint64], _ *ReaderOf[uint64]) {
			b.Reserve(canceled, 8)
			b.Commit(8)
			b.Commit(8)
		}},
		"Commit of less": {"ring: Commit(7) with slots of 8 bytes", func(b *SlotWriter, _ *WriterOf[uint64], _ *ReaderOf[uint64]) {
			b.Reserve(canceled, 8)
			b.Commit(7)
		}},
		"Commit after Window": {"ring: Commit(8) without a reservation", func(b *SlotWriter, _ *WriterOf[uint64], _ *ReaderOf[uint64]) {
			b.Reserve(canceled, 8)
			b.Window(canceled, 4)
			b.PublishN(4)
			b.Commit(8)
		}},
		"Reserve of less than nothing": {"ring: Reserve(-1): negative size", func(b *SlotWriter, _ *WriterOf[uint64], _ *ReaderOf[uint64]) { b.Reserve(canceled, -1) }},
		"PublishN of what is staged": {"ring: PublishN(4) with 3 free slots", func(b *SlotWriter, _ *WriterOf[uint64], _ *ReaderOf[uint64]) {
			b.Reserve(canceled, 8)
			b.Commit(8)
			b.PublishN(4)
		}},
		"PublishN of more than is free": {"ring: PublishN(5) with 4 free slots", func(_ *SlotWriter, v *WriterOf[uint64], _ *ReaderOf[uint64]) { v.PublishN(5) }},
		"PublishN of less than nothing": {"ring: PublishN(-1) with 4 free slots", func(_ *SlotWriter, v *WriterOf[uint64], _ *ReaderOf[uint64]) { v.PublishN(-1) }},
		"Window of nothing":             {"ring: Window(0): want at least 1", func(_ *SlotWriter, v *WriterOf[uint64], _ *ReaderOf[uint64]) { v.Window(canceled, 0) }},
		"Window of nothing to read":     {"ring: Window(-1): want at least 1", func(_ *SlotWriter, _ *WriterOf[uint64], r *ReaderOf[uint64]) { r.Window(canceled, -1) }},
		"ReleaseN of more than is held": {"ring: ReleaseN(1) with 0 messages held", func(_ *SlotWriter, _ *WriterOf[uint64], r *ReaderOf[uint64]) { r.ReleaseN(1) }},
		"ReleaseN of less than nothing": {"ring: ReleaseN(-1) with 0 messages held", func(_ *SlotWriter, _ *WriterOf[uint64], r *ReaderOf[uint64]) { r.ReleaseN(-1) }},
		"Publish when no slot can be had": {"ring: Publish without a slot", func(_ *SlotWriter, v *WriterOf[uint64], _ *ReaderOf[uint64]) {
			for range 5 {
				v.Publish()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			mem := heapSlots(t, 8, 0, 4)
			b, err := NewSlotWriter(heapSlots(t, 8, 0, 4), WriterOptions{})
			wantErr(t, err, nil)
			v, err := NewWriterOf[uint64](mem, WriterOptions{})
			wantErr(t, err, nil)
			r, err := NewReaderOf[uint64](mem, ReaderOptions{})
			wantErr(t, err, nil)
			if got := panics(func() { c.misuse(b, v, r) }); got != c.want {
				t.Errorf("panic %q, want %q", got, c.want)
			}
			for _, s := range []*side{sideOf(b), sideOf(v), sideOf(r)} {
				if !s.gate.Wait(0) {
					t.Errorf("the %v's call is still under way", s.role)
				}
			}
			if _, err := b.SendBatch(canceled, [][]byte{make([]byte, 8)}); b.Unread() > 4 {
				t.Errorf("%d unread, %v", b.Unread(), err)
			}
			if n := v.Unread(); n != v.Published() || n > 4 {
				t.Errorf("%d unread, %d published", n, v.Published())
			}
		})
	}
}

// What each call does when the ring is full, by the policy of the Writer.
func TestSlots_Full_EveryCall(t *testing.T) {
	value, message := uint64(9), make([]byte, 8)
	for name, call := range map[string]func(b *SlotWriter, v *WriterOf[uint64]) error{
		"Slot":   func(_ *SlotWriter, v *WriterOf[uint64]) error { _, err := v.Slot(canceled); return err },
		"Push":   func(_ *SlotWriter, v *WriterOf[uint64]) error { return v.Push(canceled, value) },
		"Window": func(_ *SlotWriter, v *WriterOf[uint64]) error { _, err := v.Window(canceled, 2); return err },
		"PushAll": func(_ *SlotWriter, v *WriterOf[uint64]) error {
			n, err := v.PushAll(canceled, []uint64{value, value})
			if n != 0 {
				t.Errorf("PushAll has sent %d", n)
			}
			return err
		},
		"TrySlot":         func(_ *SlotWriter, v *WriterOf[uint64]) error { _, err := v.TrySlot(); return err },
		"TryPush":         func(_ *SlotWriter, v *WriterOf[uint64]) error { return v.TryPush(value) },
		"Reserve":         func(b *SlotWriter, _ *WriterOf[uint64]) error { _, err := b.Reserve(canceled, 8); return err },
		"Send":            func(b *SlotWriter, _ *WriterOf[uint64]) error { return b.Send(canceled, message) },
		"Window of bytes": func(b *SlotWriter, _ *WriterOf[uint64]) error { _, err := b.Window(canceled, 2); return err },
		"TryReserve":      func(b *SlotWriter, _ *WriterOf[uint64]) error { _, err := b.TryReserve(8); return err },
	} {
		for policy, want := range map[Policy]error{Block: errWaited, Drop: ErrDropped, Fail: ErrFull} {
			t.Run(fmt.Sprintf("%s, %v", name, policy), func(t *testing.T) {
				bytesMem, valuesMem := heapSlots(t, 8, 0, 3), heapSlots(t, 8, 0, 3)
				b, err := NewSlotWriter(bytesMem, WriterOptions{OnFull: policy})
				wantErr(t, err, nil)
				v, err := NewWriterOf[uint64](valuesMem, WriterOptions{OnFull: policy})
				wantErr(t, err, nil)
				for range 3 {
					wantErr(t, b.Send(canceled, message), nil)
					wantErr(t, v.Push(canceled, value), nil)
				}
				try, dropped, refused := strings.HasPrefix(name, "Try"), uint64(0), uint64(0)
				switch {
				case try:
					want = ErrFull
				case policy == Drop:
					dropped = 2
				case policy == Fail:
					refused = 2
				}
				for range 2 {
					wantErr(t, call(b, v), want)
				}
				d, f, n := uint64(0), uint64(0), uint64(0)
				for _, h := range []*layout.Header{bytesMem.Header, valuesMem.Header} {
					d, f, n = d+h.ProducerStats.Dropped.Load(), f+h.ProducerStats.Refused.Load(), n+h.ProducerStats.RefusedMessages.Load()
				}
				if d != dropped || f != refused || n != refused {
					t.Errorf("%d dropped, %d refused, %d given up; want %d, %d, %d", d, f, n, dropped, refused, refused)
				}
			})
		}
	}
}

// Every way to take gives everything that was sent, and then says how the stream has ended.
func TestSlots_End_EveryCall(t *testing.T) {
	for name, take := range map[string]func(r *ReaderOf[uint64]) ([]uint64, error){
		"Pop": func(r *ReaderOf[uint64]) ([]uint64, error) {
			v, err := r.Pop(context.Background())
			return []uint64{v}, err
		},
		"TryPop": func(r *ReaderOf[uint64]) ([]uint64, error) { v, err := r.TryPop(); return []uint64{v}, err },
		"Window": func(r *ReaderOf[uint64]) ([]uint64, error) {
			window, err := r.Window(context.Background(), 3)
			all := slices.Clone(window)
			r.Release()
			return all, err
		},
		"Values": func(r *ReaderOf[uint64]) (all []uint64, err error) {
			for v, err := range r.Values(context.Background()) {
				if err != nil {
					return all, err
				}
				all = append(all, v)
			}
			return all, io.EOF
		},
	} {
		for end, want := range map[layout.End]error{layout.EndComplete: io.EOF, layout.EndStopped: ErrIncomplete, layout.EndFailed: ErrIncomplete} {
			t.Run(fmt.Sprintf("%s, %v", name, end), func(t *testing.T) {
				w, r, _ := valuePair(t, 8, WriterOptions{}, ReaderOptions{})
				n, err := w.PushAll(canceled, []uint64{1, 2, 3, 4, 5})
				if n != 5 || err != nil {
					t.Fatal(n, err)
				}
				w.EndAs(end)
				wantErr(t, w.Close(), nil)
				var all []uint64
				for err == nil {
					var some []uint64
					if some, err = take(r); err == nil || name == "Values" {
						all = append(all, some...)
					}
				}
				wantErr(t, err, want)
				if !slices.Equal(all, []uint64{1, 2, 3, 4, 5}) {
					t.Errorf("took %v", all)
				}
				_, err = take(r)
				wantErr(t, err, want) // it stays so
				if r.Held() != 0 || r.Unread() != 0 {
					t.Errorf("%d held, %d unread", r.Held(), r.Unread())
				}
			})
		}
	}
}

// A Reader that holds everything in a window, and waits for more, waits for itself.
func TestSlots_WindowHoldsEverything_ErrUnreleased(t *testing.T) {
	w, r, mem := valuePair(t, 6, WriterOptions{Spin: SpinNever}, ReaderOptions{Spin: SpinNever})
	_, err := w.PushAll(canceled, make([]uint64, 6))
	wantErr(t, err, nil)
	window, err := r.Window(canceled, 10)
	if len(window) != 6 || err != nil {
		t.Fatal(len(window), err)
	}
	sending := testenv.Background(func() error { _, err := w.PushAll(context.Background(), []uint64{7, 8}); return err })
	asleep(t, mem.Header, layout.Producer, 1)
	_, err = r.Window(context.Background(), 10)
	wantErr(t, err, ErrUnreleased)
	if !strings.Contains(err.Error(), "6 messages") {
		t.Error(err)
	}
	r.ReleaseN(2)
	wantErr(t, sending(), nil)
	if window, err := r.Window(canceled, 10); len(window) != 2 || window[1] != 8 || err != nil {
		t.Error(window, err)
	}
}

// An eighth of the slots at first, then one; and never more than an empty ring has.
func TestSlots_BlockedWriter_Hysteresis(t *testing.T) {
	for _, c := range []struct{ slots, first uint64 }{{1, 1}, {6, 1}, {16, 2}, {100, 12}} {
		w, err := NewWriterOf[uint64](heapSlots(t, 8, 0, c.slots), WriterOptions{})
		wantErr(t, err, nil)
		w.pos = 8000
		index, count, timeout := freeSlot{&w.slotWriter}.WakeAt(0)
		if want := 8000 + c.first - c.slots; index != want || count != want || timeout != hysteresis {
			t.Errorf("%d slots: at first %d and %d for %v, want %d", c.slots, index, count, timeout, want)
		}
		index, count, timeout = freeSlot{&w.slotWriter}.WakeAt(hysteresis)
		if want := 8000 + 1 - c.slots; index != want || count != want || timeout != 0 {
			t.Errorf("%d slots: later %d and %d for %v, want %d", c.slots, index, count, timeout, want)
		}
	}
}

// A Reader that holds slots and waits is deadlocked when the Writer waits for them, and not when
// what the Writer has asked for is there.
func TestSlots_Deadlocked_OnlyIfWriterWaitsForIt(t *testing.T) {
	w, r, mem := valuePair(t, 4, WriterOptions{}, ReaderOptions{})
	_, err := w.PushAll(canceled, make([]uint64, 4))
	wantErr(t, err, nil)
	_, err = r.Window(canceled, 4)
	wantErr(t, err, nil)
	r.ReleaseN(2)
	sleeper, deadlocked := &mem.Header.ProducerSleep, nextSlot{&r.slotReader}.Deadlocked
	wantErr(t, deadlocked(), nil)
	sleeper.Flag.Store(7)
	sleeper.Index.Store(2)
	sleeper.Count.Store(2)
	wantErr(t, deadlocked(), nil)
	sleeper.Index.Store(3)
	sleeper.Count.Store(3)
	wantErr(t, deadlocked(), ErrUnreleased)
	r.Release()
	wantErr(t, deadlocked(), nil)
	sleeper.Flag.Store(8)
	sleeper.Index.Store(5)
	sleeper.Count.Store(5)
	wantErr(t, deadlocked(), nil) // it holds nothing
}
