// Package ring moves messages through a bounded single-producer
// single-consumer ring in shared memory, with hard back-pressure: a full ring
// blocks the Writer, an empty one the Reader, and both sleep on futexes.
//
// A Writer reserves room, fills it, commits and publishes; a Reader takes the
// next message, uses it in place and releases it. Nothing is copied, except by the copying
// forms (Send, Receive).
//
//	w, err := ring.Create(ctx, "demo", ring.WriterOptions{})
//	r, err := ring.Open(ctx, "demo", ring.ReaderOptions{})
//
// The algorithm needs only memory that has the layout of package layout:
// NewWriter and NewReader run it on any, Create and Open on a segment in
// /dev/shm. docs/protocol.md explains every ordering and why it is enough.
//
// # Concurrency
//
// One goroutine at a time may use a Writer, and one a Reader; Close may be called from
// any goroutine, at any time. Two goroutines that wait in one end are detected, which is a
// panic; any other use by two at once goes unnoticed and corrupts the stream. To stop a
// blocked call, cancel its context or let its deadline pass: it returns within
// about a millisecond on a machine that is not overloaded.
//
// # Errors
//
// Errors of Create and Open, and of the ends that they make, are a shm.SegmentError, which names
// the operation and the segment. Returned with nothing around them are io.EOF, ErrClosed, ErrEmpty,
// ErrFull, ErrDropped, and, except by Create and Open, the cause of a context that is done.
//
// # Trust
//
// The peer is another process and may write anything into the segment. Values
// are read once and checked, and invalid ones give ErrCorrupt; no value makes a call panic or
// reach outside the mapping. A misuse by the caller (a second Commit, a negative size)
// panics. A file truncated under its mapping faults: run the loop inside
// shm.Guard to get an error for that.
package ring
