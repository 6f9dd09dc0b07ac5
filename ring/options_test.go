package ring

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
)

func TestWriter_InvalidOption(t *testing.T) {
	name := testenv.SegmentName(t)
	for want, opt := range map[string]WriterOptions{
		"OnFull 5 is none of":          {OnFull: Disconnect + 1},
		"MaxAbsence -1s is negative":   {MaxAbsence: -time.Second},
		"BlockTimeout -1s is negative": {OnFull: Drop, BlockTimeout: -time.Second},
		"BlockTimeout needs OnFull":    {BlockTimeout: time.Second},
		"Spin -2ns is negative":        {Spin: -2},
		"capacity 5000 is not a power": {Capacity: 5000},
		"slots 1099511627776 is more":  {Slots: 1 << 40},
	} {
		w, err := Create(t.Context(), name, opt)
		if w != nil {
			t.Errorf("%+v: a Writer", opt)
		}
		wantOptionErr(t, err, want)
		if opt.Capacity == 0 && opt.Slots == 0 { // those are ignored in other memory
			_, err = NewWriter(heapMemory(t, 4096, 0), opt)
			wantOptionErr(t, err, want)
		}
	}
}

func TestReader_InvalidSpin(t *testing.T) {
	_, err := Open(t.Context(), testenv.SegmentName(t), ReaderOptions{Spin: -2}) // it does not wait
	wantOptionErr(t, err, "Spin -2ns is negative")
	_, err = NewReader(heapMemory(t, 4096, 0), ReaderOptions{Spin: -2})
	wantOptionErr(t, err, "Spin -2ns is negative")
}

func wantOptionErr(t *testing.T, err error, want string) {
	t.Helper()
	testenv.WantErr(t, err, ErrOption)
	if err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
