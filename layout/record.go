package layout

// A record in the data region is one 8-byte word, the payload, and padding to
// the next multiple of 8:
//
//	 63        57 56              33 32 31                             0
//	+------------+------------------+--+--------------------------------+
//	|     0      |      weight      |S |             length             |
//	+------------+------------------+--+--------------------------------+
//	| stamp, ns of the monotonic clock (only when S is set)             |
//	+-------------------------------------------------------------------+
//	| payload: length bytes, then padding to a multiple of 8            |
//	+-------------------------------------------------------------------+
//
// A plain record's word is therefore simply its length. The position of a
// record is its free-running index modulo the capacity; the data region is
// mapped twice in a row, so a record that runs over the end is still one slice.
const (
	// RecordHeader is the size of the word before a payload.
	RecordHeader = 8
	// StampSize is the size of the time stamp in a sampled record.
	StampSize = 8
	// MaxWeight is the largest number of messages that one sample stands for.
	MaxWeight = 1<<24 - 1

	lengthMask  = 1<<32 - 1
	stampBit    = 1 << 32
	weightShift = 33
)

// RecordSize returns the bytes that a plain record of n payload bytes takes.
func RecordSize(n uint64) uint64 { return (n + RecordHeader + 7) &^ 7 }

// MaxMessage returns the largest payload that a ring of that capacity takes, in bytes.
//
// Preconditions: capacity is at least RecordHeader, as that of every valid Geometry of a ring is.
func MaxMessage(capacity uint64) uint64 { return capacity - RecordHeader }

// SampledWord builds the word of a sampled record: n payload bytes, standing
// for weight messages since the sample before it, at most MaxWeight of them.
//
// Preconditions: n is less than 2^32.
func SampledWord(n, weight uint64) uint64 {
	return n | stampBit | min(weight, MaxWeight)<<weightShift
}

// ParseSampledWord splits a record word. ok is false when it is not the word of a
// sampled record: a plain one, or one with bits that no version sets.
func ParseSampledWord(word uint64) (n, weight uint64, ok bool) {
	weight = word >> weightShift
	return word & lengthMask, weight, word&stampBit != 0 && weight <= MaxWeight
}
