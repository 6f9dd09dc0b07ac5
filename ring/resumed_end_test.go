package ring

import (
	"context"
	"errors"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// The first Writer of a stream publishes and leaves it to the next one, which publishes nothing and
// ends it as stopped. A third one follows before the Reader has taken anything: the stream was not
// complete all the same.
func TestReader_StreamOfTwoWriters_StoppedBeforeTheNextStream_Incomplete(t *testing.T) {
	ctx, name := context.Background(), testenv.SegmentName(t)
	for _, c := range []struct {
		message bool
		end     layout.End
	}{{true, layout.EndNone}, {false, layout.EndStopped}, {true, layout.EndComplete}} {
		w, err := Create(ctx, name, WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if c.message {
			if err := w.Send(ctx, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		w.EndAs(c.end)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(ctx, name, ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		if _, err := r.Take(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Take(ctx); !errors.Is(err, ErrIncomplete) {
		t.Errorf("at the end: %v, want ErrIncomplete", err)
	}
}
