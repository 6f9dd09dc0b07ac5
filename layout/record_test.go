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

func TestSample_Word_AsDocumented(t *testing.T) {
	if got := SampledWord(0x1234, 3); got != 0x7_0000_1234 {
		t.Errorf("%#x", got)
	}
}

func TestSample_LengthAndWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := uint64(rapid.Uint32().Draw(t, "n"))
		weight := rapid.Uint64().Draw(t, "weight")
		gotN, gotWeight, ok := ParseSampledWord(SampledWord(n, weight))
		if !ok || gotN != n || gotWeight != min(weight, 1<<24-1) {
			t.Fatalf("%d of weight %d came back as %d of weight %d, %v", n, weight, gotN, gotWeight, ok)
		}
	})
}

func TestSample_PlainWord_NoSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := uint64(rapid.Uint32().Draw(t, "n"))
		if got, _, ok := ParseSampledWord(n); ok || got != n {
			t.Fatalf("the word %#x is a sample of length %d", n, got)
		}
	})
}

func TestSample_ReservedBits_NoSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := SampledWord(uint64(rapid.Uint32().Draw(t, "n")), rapid.Uint64().Draw(t, "weight"))
		bit := rapid.IntRange(57, 63).Draw(t, "bit")
		if _, _, ok := ParseSampledWord(word | 1<<bit); ok {
			t.Fatalf("bit %d passes", bit)
		}
		if _, _, ok := ParseSampledWord(word &^ (1 << 32)); ok {
			t.Fatal("a weight without the S bit passes")
		}
	})
}
