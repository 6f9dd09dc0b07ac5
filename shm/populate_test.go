package shm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/mapping"
	"sluice/internal/testenv"
	"sluice/layout"
)

// faults returns how many page faults fn has on this thread.
func faults(t *testing.T, fn func()) int64 {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &before); err != nil {
		t.Fatal(err)
	}
	fn()
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &after); err != nil {
		t.Fatal(err)
	}
	return after.Minflt - before.Minflt
}

// touch writes to each page.
func touch(b []byte) {
	for at := 0; at < len(b); at += os.Getpagesize() {
		b[at]++
	}
}

// advices are the ways in which pages are mapped at once: where the kernel can, and else.
var advices = map[string]func([]byte) error{"by the kernel": populate, "by hand": func([]byte) error { return unix.ENOSYS }}

// populateBy makes fn replace populate for a test.
func populateBy(t *testing.T, fn func([]byte) error) {
	t.Helper()
	before := populate
	populate = fn
	t.Cleanup(func() { populate = before })
}

func TestPopulate_NoFaultsLater(t *testing.T) {
	const few = 32 // of the runtime
	for _, row := range []struct {
		name     string
		capacity uint64
		with     Populate
		mapped   bool
	}{
		{"small", 1 << 20, false, true},
		{"the largest that always is", PopulateAlways, false, true},
		{"larger, not asked for", 2 * PopulateAlways, false, false},
		{"larger", 2 * PopulateAlways, true, true},
	} {
		for advice, fn := range advices {
			t.Run(row.name+", "+advice, func(t *testing.T) {
				populateBy(t, fn)
				name := testenv.SegmentName(t)
				creator, err := Create(name, ring(t, row.capacity), layout.Producer, row.with)
				if err != nil {
					t.Fatal(err)
				}
				defer creator.Leave(remove)
				opener, err := Open(t.Context(), name, layout.Consumer, row.with)
				if err != nil {
					t.Fatal(err)
				}
				defer opener.Leave(keep)
				for role, s := range map[string]*Segment{"creator": creator, "opener": opener} {
					n := faults(t, func() { touch(s.Data()) })
					if mapped := n < few; mapped != row.mapped && !everythingIsHuge(n, row.capacity) {
						t.Errorf("%d faults of the %s in %d bytes", n, role, 2*row.capacity)
					}
				}
			})
		}
	}
}

// everythingIsHuge reports whether there were no more faults than for whole huge pages, as where
// /dev/shm is mounted with huge=always.
func everythingIsHuge(faults int64, capacity uint64) bool {
	size := mapping.HugePageSize()
	return size > 0 && faults < 2*(int64(capacity)/size+size/int64(os.Getpagesize()))+32
}

// What is not in huge pages is in others, and nothing else differs.
func TestPopulate_NewSegmentIsZeroAndReserved(t *testing.T) {
	name, g := testenv.SegmentName(t), ring(t, 2*PopulateAlways)
	s, err := Create(name, g, layout.Producer, Populate(true))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Leave(remove)
	var st unix.Stat_t
	if err := unix.Fstat(int(s.file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if st.Size != g.FileSize() || st.Blocks*512 != st.Size {
		t.Errorf("%d bytes of %d are reserved, want %d", st.Blocks*512, st.Size, g.FileSize())
	}
	if n := len(s.Data()) - bytes.Count(s.Data(), []byte{0}); n != 0 {
		t.Errorf("%d bytes are not 0", n)
	}
	if s.Header().Identity.Magic.Load() != layout.Magic {
		t.Error("the data lies over the header")
	}
}

func TestPopulate_NewSegmentIsHuge(t *testing.T) {
	if err := mapping.TryHuge(Dir); err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	s, err := Create(testenv.SegmentName(t), ring(t, PopulateAlways), layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Leave(remove)
	if got, most := hugeBytes(t), 2*PopulateAlways; got < most/2 {
		t.Errorf("%d bytes of %d are mapped in huge pages", got, most)
	}
}

// hugeBytes returns how much shared memory this process has in huge pages.
func hugeBytes(t *testing.T) (sum int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "ShmemPmdMapped: %d kB", &kib); n == 1 {
			sum += kib << 10
		}
	}
	return sum
}

// A Detach of huge pages is that of any.
func TestPopulate_Detach_KeepsContent(t *testing.T) {
	name := testenv.SegmentName(t)
	s, err := Create(name, ring(t, PopulateAlways), layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	data := s.Data()
	kept, other := data[5<<20:][:100], data[9<<20:][:100]
	copy(kept, bytes.Repeat([]byte("kept"), 25))
	want := bytes.Clone(kept)
	if err := s.Detach(kept); err != nil {
		t.Fatal(err)
	}
	leave(t, s, keep)
	next := join(t, name, layout.Producer)
	defer leave(t, next, remove)
	copy(other, "stored by the closed side")
	if got := next.Data()[9<<20]; got != 0 {
		t.Errorf("a store of the closed side has reached the file: %q", got)
	}
	clear(next.Data()[:PopulateAlways])
	if !bytes.Equal(kept, want) {
		t.Errorf("%q", kept)
	}
	if err := s.Unmap(); err != nil {
		t.Error(err)
	}
}

func TestPopulate_ContextDone_ErrorAndNothingLeft(t *testing.T) {
	name, stop := testenv.SegmentName(t), errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if s, err := CreateOrOpen(ctx, name, ring(t, 4*populateStep), layout.Producer, Populate(true)); !errors.Is(err, stop) {
		t.Errorf("%v, %v", s, err)
	}
	if exists(name) {
		t.Error("a file is left")
	}
	s, err := Create(name, ring(t, 4*populateStep), layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Leave(remove)
	if s, err := Open(ctx, name, layout.Consumer, Populate(true)); !errors.Is(err, stop) {
		t.Errorf("%v, %v", s, err)
	}
	join(t, name, layout.Consumer) // the role is free
}

func TestPopulate_TruncatedMeanwhile_Error(t *testing.T) {
	for advice, fn := range advices {
		t.Run(advice, func(t *testing.T) {
			name := testenv.SegmentName(t)
			newSegment(t, name)
			populateBy(t, func(b []byte) error {
				if err := os.Truncate(Path(name), 4096); err != nil {
					t.Fatal(err)
				}
				return fn(b)
			})
			if s, err := Open(t.Context(), name, layout.Consumer); !errors.Is(err, ErrTruncated) {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}
