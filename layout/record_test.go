package layout

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRecord_Size(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 8, 1: 16, 7: 16, 8: 16, 9: 24, 1<<32 - 1: 1<<32 + 8} {
		if got := RecordSize(n); got != want {
			t.Errorf("RecordSize(%d) = %d, want %d", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := uint64(rapid.Uint32().Draw(t, "n"))
		size := RecordSize(n)
		if size%8 != 0 || size < RecordHeader+n || size >= RecordHeader+n+8 {
			t.Fatalf("%d bytes of payload take %d", n, size)
		}
	})
}

func TestRecord_LargestFillsRing(t *testing.T) {
	for capacity := uint64(MinCapacity); capacity <= MaxCapacity; capacity *= 2 {
		n := MaxMessage(capacity)
		if RecordSize(n) != capacity || RecordSize(n+1) <= capacity {
			t.Errorf("capacity %d: %d bytes take %d, one more %d", capacity, n, RecordSize(n), RecordSize(n+1))
		}
	}
}
