package ring

import (
	"context"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// A bridge finds in layout.Origin which message is next, which is wrong once somebody else has
// published.
func TestCreate_Origin_KeptOnlyForABridge(t *testing.T) {
	for kind, create := range map[string]func(ctx context.Context, name string, opt WriterOptions) (*layout.Header, func() error, error){
		"records": func(ctx context.Context, name string, opt WriterOptions) (*layout.Header, func() error, error) {
			w, err := Create(ctx, name, opt)
			if err != nil {
				return nil, nil, err
			}
			return w.Segment().Header(), w.Close, nil
		},
		"slots": func(ctx context.Context, name string, opt WriterOptions) (*layout.Header, func() error, error) {
			w, err := CreateSlots(ctx, name, 8, opt)
			if err != nil {
				return nil, nil, err
			}
			return w.Segment().Header(), w.Close, nil
		},
	} {
		ctx, name := context.Background(), testenv.SegmentName(t)
		for _, c := range []struct {
			keep bool
			set  uint64 // by this Writer
			want uint64 // found by it
		}{
			{true, 1, 0}, {true, 2, 1}, {true, 0, 2}, {true, 1, 0}, {false, 1, 0},
		} {
			h, closeRing, err := create(ctx, name, WriterOptions{KeepOrigin: c.keep, Keep: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Origin.Current.Load(); got != c.want {
				t.Errorf("%s: KeepOrigin %v finds place %d, want %d", kind, c.keep, got, c.want)
			}
			h.Origin.Current.Store(c.set)
			if err := closeRing(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCreateSlots_Fingerprint_InTheHeader(t *testing.T) {
	ctx, name := context.Background(), testenv.SegmentName(t)
	_, fingerprint, err := typeOf[uint64]()
	if err != nil {
		t.Fatal(err)
	}
	w, err := CreateSlots(ctx, name, 8, WriterOptions{Fingerprint: fingerprint})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := w.Segment().Geometry().Fingerprint; got != fingerprint {
		t.Errorf("fingerprint %#x, want %#x", got, fingerprint)
	}
	r, err := OpenOf[uint64](ctx, name, ReaderOptions{})
	if err != nil {
		t.Fatalf("a Reader of that type: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOf[int64](ctx, name, ReaderOptions{}); err == nil {
		t.Error("a Reader of another type of that size may join")
	}
}
