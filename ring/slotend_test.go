package ring_test

import (
	"io"
	"testing"

	"sluice/internal/testenv"
	"sluice/ring"
)

// A Reader that was told an end and is closed has taken it: the next one waits for another stream.
func TestSlots_EndToldAndClosed_NotToldAgain(t *testing.T) {
	name := testenv.SegmentName(t)
	w, err := ring.CreateSlots(t.Context(), name, 8, ring.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r, err := ring.OpenSlots(t.Context(), name, ring.ReaderOptions{Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		want := []error{io.EOF, ring.ErrEmpty}[i]
		_, err = r.TryNext()
		testenv.WantErr(t, err, want)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
