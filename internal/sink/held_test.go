package sink

import (
	"os"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/shm"
)

// What is held is released together, and is too little to keep the producer waiting.
func TestMaxHeld_EighthOfQueue(t *testing.T) {
	page := os.Getpagesize()
	ring := func(capacity, slots uint64) layout.Geometry {
		g, err := layout.RingGeometry(capacity, slots, uint64(page))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, c := range []struct {
		name            string
		geometry        layout.Geometry
		limit           uint64
		bytes, messages int
	}{
		{"ring", ring(1<<20, 0), 0, 128 << 10, 512},
		{"ring with few slots", ring(1<<20, 4), 0, 128 << 10, 1},
		{"ring, with nonsense in the header", ring(1<<20, 0), 8, 128 << 10, 512},
		{"transfer without a limit", layout.Geometry{Mode: layout.ModeTransfer}, 0, 1 << 20, 512},
		{"transfer with a limit", layout.Geometry{Mode: layout.ModeTransfer}, 1 << 20, 128 << 10, 128 << 10 / page},
		{"transfer with hardly a limit", layout.Geometry{Mode: layout.ModeTransfer}, 8, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			seg, err := shm.Create(testenv.SegmentName(t), c.geometry, layout.Producer)
			if err != nil {
				t.Fatal(err)
			}
			defer seg.Leave(func() bool { return true })
			seg.Header().ProducerStats.Limit.Store(c.limit)
			if bytes, messages := MaxHeld(seg); bytes != c.bytes || messages != c.messages {
				t.Errorf("%d bytes, %d messages, want %d and %d", bytes, messages, c.bytes, c.messages)
			}
			if n := testing.AllocsPerRun(10, func() { MaxHeld(seg) }); n > 0 { // a snapshot has some
				t.Errorf("%v allocations for one limit", n)
			}
		})
	}
}
