// Package ring moves messages through a bounded single-producer
// single-consumer ring in shared memory, with hard back-pressure: a full ring
// blocks the Writer, an empty one the Reader, and both sleep on futexes.
//
// A Writer reserves room, fills it, commits and publishes; a Reader takes the
// next message, uses it in place and releases it. Nothing is copied on the way
// unless the copying forms (Send, Receive) are asked for.
//
//	w, err := ring.Create(ctx, "demo", ring.Options{})
//	r, err := ring.Open(ctx, "demo", ring.Options{})
//
// The algorithm needs only memory that has the layout of package layout:
// NewWriter and NewReader run it on any, Create and Open on a segment in
// /dev/shm. docs/protocol.md explains every ordering and why it is enough.
//
// # Concurrency
//
// One goroutine at a time may use a Writer, and one a Reader; Close may be called from
// any goroutine, at any time. A second goroutine in a call is looked for only when both
// wait, which is a panic; everywhere else it goes unnoticed and spoils the stream. To stop a
// blocked call, cancel its context or let its deadline pass: it returns within
// about a millisecond on a machine that is not overloaded.
//
// # Trust
//
// The peer is another process and may write anything into the segment. Values
// are read once, checked, and give ErrCorrupt; no value makes a call panic or
// reach outside the mapping. A bad caller (a second Commit, a negative size)
// panics. A file truncated under its mapping faults: run the loop inside
// shm.Guard to get an error for that.
package ring
