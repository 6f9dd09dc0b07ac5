// Package sluice moves messages between two processes on one Linux machine, one [Producer] and
// one [Consumer], and counts what either waits for.
//
// One process sends:
//
//	p, err := sluice.Create(ctx, "demo", sluice.ProducerOptions{})
//	...
//	err = p.Send(ctx, []byte("hello"))
//	...
//	err = p.Drain(ctx) // wait until the consumer has taken everything
//	err = p.Close()
//
// Another one receives, here with a Consumer that the loop opens and closes:
//
//	for msg, err := range sluice.Messages(ctx, "demo", sluice.ConsumerOptions{}) { ... }
//
// The two may start in either order. They meet in a segment, a file in /dev/shm that [Create]
// makes under the given name, and that is removed when both have closed and every message was
// taken. What a consumer has not released is there for the next one, in order.
//
// # Two modes
//
// [ModeRing], the default, is a ring in the shared memory of the segment, of a fixed size. A
// full ring makes the producer wait (or drop the message, or fail: [Policy]), an empty one the
// consumer. Messages survive a kill of either process.
//
// [ModeTransfer] hands sealed memory files over a Unix socket. The queue grows up to
// [ProducerOptions].Limit without a wait; then sending fails with [ErrLimit], or waits for the
// consumer, or drops the message ([ProducerOptions].OnLimit). The queue is in the producer's memory
// and is lost with it; the consumer is told how much that was.
//
// A program chooses the mode in ProducerOptions, and is otherwise the same for both. A consumer
// finds the mode out.
//
// # Ends of a stream
//
// A consumer that has taken everything gets [io.EOF] after a producer that closed, and
// [ErrIncomplete] after one that said it had not sent everything ([Producer].EndAs, Abort), or
// that lost messages. A producer that is killed, or exits without Close, has not ended its stream:
// the consumer waits for the next producer, which goes on.
//
// # A chain
//
// A program that consumes from one segment and produces into another runs [Stage]: it releases a
// message only when its results are published, so a chain of such programs loses nothing when one
// of them is killed, and its slowest part holds back all before it.
//
// # Errors
//
// An error says what was done, in which segment, and what went wrong, for example
//
//	open segment "demo": role is taken: a live process is its consumer (process 4711)
//
// It is a [SegmentError], and errors.Is finds the value below that it is ([ErrRoleTaken]).
// A few that a loop expects are returned as they are, with nothing around them: [io.EOF],
// [ErrEmpty], [ErrFull], [ErrDropped], [ErrClosed], and the cause of a context that is done, except
// by [Create] and [Open]. ErrName has the name in it.
//
// # Faults
//
// Everything in the segment can be written by the other process, and is checked before it is
// used: nonsense is [ErrCorrupt]. A file that somebody truncates is a memory fault (SIGBUS) in
// whoever touches it: run a loop inside [shm.Guard] to get [ErrTruncated] instead of the end of
// the process. Guard does not know of segments; its error names none.
//
// # Beneath
//
// The two interfaces are what [ring.Writer] and [transfer.Sender], [ring.Reader] and
// [transfer.Receiver] have in common. An assertion to those types gives the calls that only one
// mode has, and saves the nanosecond or two that a call through an interface costs. [Stats]
// reads the counters of both sides, and package pressure says what they mean.
//
// # Values of one type
//
// Where all messages are values of one type of a fixed size, [ProducerOf] and [ConsumerOf] carry
// them without a length and without a copy, at a nanosecond or two for each:
//
//	p, err := sluice.CreateOf[Tick](ctx, "ticks", sluice.ProducerOptions{})
//	...
//	err = p.Push(ctx, Tick{Price: 4711})
//
// They check that both sides have the same type. The command consumer and a [Consumer] take the
// same values as bytes, and [ProducerOptions].SlotSize sends bytes of one size in the same way.
package sluice
