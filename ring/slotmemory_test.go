package ring_test

import (
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/ring"
)

// A ring that is closed and removed gives its memory back, also while its ends are reachable and
// nothing is collected.
func TestSlots_Close_MemoryReleased(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const size, times = 16 << 20, 8
	used := func() uint64 {
		var st unix.Statfs_t
		if err := unix.Statfs("/dev/shm", &st); err != nil {
			t.Fatal(err)
		}
		return (st.Blocks - st.Bfree) * uint64(st.Bsize)
	}
	before := used()
	var ends []any
	for range times {
		name := testenv.SegmentName(t)
		w, err := ring.CreateOf[uint64](t.Context(), name, ring.WriterOptions{Capacity: size})
		if err != nil {
			t.Fatal(err)
		}
		r, err := ring.OpenOf[uint64](t.Context(), name, ring.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Push(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Pop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, w, r)
	}
	if after := used(); after > before+times*size/2 { // others use /dev/shm as well
		t.Errorf("%d MiB of /dev/shm are used, %d before", after>>20, before>>20)
	}
	if len(ends) != 2*times {
		t.Error(len(ends))
	}
}

// What a Reader holds when it is closed keeps its content, and the rest is not there any more.
func TestSlots_Close_HeldContentStays(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := ring.CreateOf[[512]uint64](t.Context(), name, ring.WriterOptions{Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ring.OpenOf[[512]uint64](t.Context(), name, ring.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(6) {
		if err := w.Push(t.Context(), [512]uint64{i, 511: i}); err != nil {
			t.Fatal(err)
		}
	}
	var held []*[512]uint64
	for range 4 {
		v, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, v)
	}
	r.ReleaseN(2)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := ring.OpenOf[[512]uint64](t.Context(), name, ring.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	for i := uint64(2); i < 6; i++ {
		if v, err := next.Pop(t.Context()); err != nil || v[0] != i || v[511] != i {
			t.Errorf("the next Reader takes %d, %v, want %d", v[0], err, i)
		}
	}
	for range 8 {
		if err := w.Push(t.Context(), [512]uint64{100, 511: 100}); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range held[2:] {
		if want := uint64(2 + i); v[0] != want || v[511] != want {
			t.Errorf("message %d has become %d and %d", want, v[0], v[511])
		}
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
}
