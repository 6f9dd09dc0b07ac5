// Package transfer moves messages to another process by passing it the memory that
// they are in: soft back-pressure. A message is made in a buffer, the buffer is
// sealed and its descriptor passed over a Unix socket. The producer does not wait for the
// consumer; what that has not released takes memory, up to a limit. There it fails, drops messages,
// or waits after all (SenderOptions.OnLimit): memory is bounded then as in a ring.
//
//	producer                                   consumer
//	Reserve Commit Publish -> queue ~~~~~~~~~> Next Next Release
//	   does not wait       queue, socket        reads
//	        \______________ one header page __________/
//
// The header page in /dev/shm is that of a ring, with the same counters, so that
// one observer reads both. docs/transfer.md has the protocol, and a picture of the types
// behind [Sender] and [Receiver].
//
// # Concurrency
//
// One goroutine at a time may use a Sender, and one a Receiver, with these exceptions.
// StopSending of a Sender may be called from any goroutine, once, before Close. Close, and
// Shutdown and Abort of a Sender, may be called from any goroutine, at any time. They end the
// call that is under way if it waits, as Next does, and wait for it otherwise; every later call
// returns ErrClosed. What the user has at that moment, a reservation or messages that are not
// released, stays readable, and the reservation writable, until the next call that would end it,
// or until the garbage collector finds that nobody has the end any more. Segment returns the
// header page, which is unmapped when the end is closed.
//
// # Errors
//
// Errors of Create and Open, and of the ends that they make, are a shm.SegmentError, which names
// the operation and the segment. Returned with nothing around them are io.EOF, ErrClosed, ErrEmpty,
// ErrDropped and, except by Create and Open, the cause of a context that is done.
package transfer
