package shm

import (
	"errors"
	"io"
	"os"
	"runtime/debug"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestGuard_TruncatedSegment_Error(t *testing.T) {
	for what, touch := range map[string]func(s *Segment){
		"reading its header": func(s *Segment) { s.Header().Consumer.Index.Load() },
		"writing its header": func(s *Segment) { s.Header().Producer.Index.Store(1) },
		"writing its data":   func(s *Segment) { s.Data()[100] = 1 },
		"reading its mirror": func(s *Segment) { s.Data()[3<<15] += 1 },
	} {
		t.Run(what, func(t *testing.T) {
			name := testenv.SegmentName(t)
			s := newSegment(t, name)
			if err := os.Truncate(Path(name), 0); err != nil {
				t.Fatal(err)
			}
			err := Guard(func() error { touch(s); return nil })
			if !errors.Is(err, ErrTruncated) {
				t.Error(err)
			}
		})
	}
}

func TestGuard_ReturnsResult(t *testing.T) {
	for _, want := range []error{nil, io.ErrUnexpectedEOF} {
		if got := Guard(func() error { return want }); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestGuard_OtherPanic_PassedOn(t *testing.T) {
	var noHeader *layout.Header
	for what, fn := range map[string]func() error{
		"a nil pointer":                 func() error { noHeader.Producer.Index.Load(); return nil },
		"a nil pointer, far behind it":  func() error { noHeader.Latency.Buckets[600].Load(); return nil },
		"an index out of range":         func() error { _ = make([]byte, 1)[os.Getpid()]; return nil },
		"a panic of the program itself": func() error { panic("mine") },
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			t.Errorf("Guard returned %v", Guard(fn))
		})
	}
}

func TestGuard_RestoresFaultSetting(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(false))
	for _, setting := range []bool{false, true} {
		debug.SetPanicOnFault(setting)
		Guard(func() error { return nil })
		func() {
			defer func() { recover() }()
			Guard(func() error { panic("mine") })
		}()
		if after := debug.SetPanicOnFault(setting); after != setting {
			t.Errorf("it was %v and is %v", setting, after)
		}
	}
}
