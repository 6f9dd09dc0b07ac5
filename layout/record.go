package layout

// A record in the data region is one 8-byte word, the payload, and padding to
// the next multiple of 8:
//
//	 63                             32 31                             0
//	+---------------------------------+--------------------------------+
//	|                0                |             length             |
//	+---------------------------------+--------------------------------+
//	| payload: length bytes, then padding to a multiple of 8           |
//	+------------------------------------------------------------------+
//
// The position of a record is its free-running index modulo the capacity; the data
// region is mapped twice in a row, so a record that runs over the end is still one slice.

// RecordHeader is the size of the word before a payload.
const RecordHeader = 8

// RecordSize returns the bytes that a record of n payload bytes takes.
func RecordSize(n uint64) uint64 { return (n + RecordHeader + 7) &^ 7 }

// MaxMessage returns the largest payload that a ring of that capacity takes, in bytes.
//
// Preconditions: capacity is at least RecordHeader, as that of every valid Geometry of a ring is.
func MaxMessage(capacity uint64) uint64 { return capacity - RecordHeader }
