package sluice

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// Consumer takes messages, in the order in which they were sent. One goroutine at a time may use
// it; Close may be called from any, at any time.
//
// Every call that can wait takes a context. It returns the cause of a context that is done,
// within about a millisecond of a cancel or of the deadline; a call that need not wait may succeed
// all the same. After Close every call returns [ErrClosed], and those that have no error release
// nothing, whatever their arguments are. Two goroutines that use a Consumer at once are not always
// found out.
type Consumer interface {
	// Next returns the next message without a copy. The slice is memory of the segment or of
	// a buffer, 0 bytes or more: valid until the message is released, and not to be written to.
	// Its address is a multiple of 8. Several messages may be held at once; the producer gets
	// their room back when they are released. After Close those that are held stay readable
	// until the next Release.
	//
	// Without a message it waits for one. It returns [io.EOF] at the end of a complete
	// stream and [ErrIncomplete] at that of another, [ErrUnreleased] when the producer waits
	// (for room, or in Drain) until messages that the caller holds are released, [ErrCorrupt],
	// [ErrRemoved] when nobody can come any more, or the cause of ctx; of a transfer also
	// [ErrVersion], [ErrDescriptors] and [ErrSocketRemoved]. After an error nothing was taken,
	// and it may be called again. A producer that was killed, or
	// that exits without Close, has not ended its stream: Next waits for the next producer.
	Next(ctx context.Context) ([]byte, error)
	// TryNext is Next that never waits: [ErrEmpty] when there is no message now, and [io.EOF]
	// or [ErrIncomplete] when there will be none.
	TryNext() ([]byte, error)
	// NextBatch takes the messages that are there, as Next does each: up to len(msgs), and no more
	// once they have most bytes, but always one. It puts them into msgs and returns how many, which
	// may be fewer than there are. Without a message it waits for one, as Next does; with no msgs
	// it does nothing. An error is that of Next for the message after those n.
	NextBatch(ctx context.Context, msgs [][]byte, most int) (int, error)
	// Buffered reports whether Next would return a message at once. It may say no although
	// one has just come; it is for releasing messages in batches.
	Buffered() bool

	// Release gives back every message that is held, if there is one. Their slices are invalid
	// then.
	Release()
	// ReleaseN gives back the oldest n messages. The slices of the others stay valid. It panics
	// unless n is from 0 to Held.
	ReleaseN(n int)
	// Held returns how many messages were taken and not released. Close leaves it as it is.
	Held() int

	// Receive takes the next message, copies it to buf[:0], which grows as append does, and
	// releases it, with all that is held. The result is the caller's; buf may be nil. It waits
	// and fails as Next does, and then returns nil.
	Receive(ctx context.Context, buf []byte) ([]byte, error)
	// Messages ranges over the messages without copies, and releases each when the loop asks
	// for the next one: a slice is valid in the body of the loop. It ends at [io.EOF] without
	// an error; any other error of Next is the last pair, with a nil slice. A message whose
	// body breaks out of the loop is not released.
	Messages(ctx context.Context) iter.Seq2[[]byte, error]

	// Released returns how many messages this Consumer has released.
	Released() uint64
	// Unread returns how many messages were published and are not released; after Close it is
	// how many that left.
	Unread() uint64
	// Framing returns how the producer has cut its input into messages, FramingNone if it
	// did not say, and after Close.
	Framing() layout.Framing
	// Segment returns the segment: its name, its geometry, and who is there. Any goroutine may
	// call it. After Close only its Name and Geometry are of use.
	Segment() *shm.Segment

	// Close releases the role. What is not released is for the next consumer.
	//
	// Any goroutine may call it, at any time, and again: that returns nil. A call that waits
	// returns [ErrClosed]. Errors: [ErrRemoved] when the file of a ring was removed, and what
	// is not released is lost, [ErrTruncated], and [ErrBusy] of a transfer, after which the role
	// is still held. After any other error the Consumer is closed.
	Close() error
}

// ReadyConsumer is a Consumer that can be waited for beside other things: that of a ring, and not
// that of a transfer.
type ReadyConsumer interface {
	Consumer
	// Ready returns a channel that is closed when Next need not wait, for a select. The goroutine
	// that uses the Consumer calls it each time that it waits: see [ring.Reader.Ready].
	Ready() <-chan struct{}
	// ReadyFD returns an eventfd that can be read when Next need not wait, for an event loop:
	// see [ring.Reader.ReadyFD].
	ReadyFD() (int, error)
}

var (
	_ ReadyConsumer = (*ring.Reader)(nil)
	_ ReadyConsumer = (*ring.SlotReader)(nil)
)

// All engines are consumers.
var (
	_ Consumer = (*ring.Reader)(nil)
	_ Consumer = (*ring.SlotReader)(nil)
	_ Consumer = (*transfer.Receiver)(nil)
)

// ConsumerOptions says how to open a Consumer. The zero value takes what is sent in either mode,
// until the producer ends.
type ConsumerOptions struct {
	// Mode makes a segment of another mode an ErrMode; 0 takes either.
	Mode Mode
	// Follow waits for the next producer when one has ended its stream, instead of returning
	// io.EOF or ErrIncomplete. There is one producer at a time.
	Follow bool
	// Replaceable lets a producer that needs another segment under this name replace this one,
	// while this Consumer waits in it, once everything was released and the end of the last
	// stream told. Next returns [ErrRemoved] then, and the caller may open the name again. A
	// producer needs another one when it wants another capacity, other slots, or, without Mode,
	// another mode. It is refused without Replaceable ([ErrGeometry], [ErrMode]).
	Replaceable bool
	// OnEnd is called with Follow when a stream has ended and all of it was taken: with nil,
	// or an ErrIncomplete. It is called by Next, on the goroutine that called that, and must
	// not call the Consumer.
	OnEnd func(err error)
	// OnMissed is called when n more messages of a ring were dropped while no consumer was there,
	// or while one was disconnected ([Destination], [Disconnect]): by Next, as OnEnd is, once the
	// gap is over. Each of them is reported to one consumer; without OnMissed it counts as
	// reported.
	OnMissed func(n uint64)
	// Keep leaves the segment in /dev/shm when both sides have gone, even if everything was
	// read.
	Keep bool
	// Access lets other users take part, if both sides ask for it: shm.GroupAccess. The zero
	// value lets nobody.
	Access shm.Access

	// Spin is how long to spin before sleeping while a ring is empty; 0 adapts to the
	// waits, to 20 us at most, SpinNever sleeps at once.
	Spin time.Duration
	// Populate maps the memory of a ring of more than 16 MiB before Open returns, instead of each
	// page at the first access to it, as that of a smaller one always is.
	Populate bool

	// Socket is the path of the Unix socket at which this consumer of a transfer listens;
	// "" means that of transfer.SocketPath, the same on both sides.
	Socket string
	// Listener is a socket of type SOCK_SEQPACKET that somebody else has made for this
	// consumer of a transfer, as systemd does; Socket is not used then. Open owns it: it is
	// closed with the Consumer, and when Open fails.
	Listener *net.UnixListener
}

// Open takes the consumer's role in the segment called name, as [Create] has it, and waits for a
// producer to make it if there is none, until ctx is done. It begins with the oldest message that
// was not released. Any goroutine may call it.
//
// Errors: [ErrName], [ErrOption], [ErrRoleTaken] when a consumer lives, [ErrMode],
// [ErrNotSegment], [ErrVersion], [ErrCorrupt], [ErrUntrusted], fs.ErrPermission, [ErrPeer] for
// a socket that cannot be used, [ErrNoDirectory], and the cause of ctx.
func Open(ctx context.Context, name string, opt ConsumerOptions) (Consumer, error) {
	unused := opt.Listener // until a Receiver owns it
	defer func() {
		if unused != nil {
			unused.Close() // which has nothing to lose
		}
	}()
	if err := opt.check(); err != nil {
		return nil, shm.InSegment(endpoint.OpOpen, name, err)
	}
	seg, err := shm.OpenWait(ctx, name, layout.Consumer, opt.Access, shm.Populate(opt.Populate))
	if err != nil {
		return nil, err
	}
	mode := seg.Geometry().Mode
	switch {
	case opt.Mode != 0 && opt.Mode != mode:
		err = fmt.Errorf("%w: %v, not %v", ErrMode, mode, opt.Mode)
		_, leaveErr := seg.Leave(func() bool { return false })
		return nil, shm.InSegment(endpoint.OpOpen, name, err, leaveErr)
	case mode == ModeTransfer:
		unused = nil
		r, err := transfer.OpenSegment(seg, transfer.ReceiverOptions{
			Socket: opt.Socket, Listener: opt.Listener, Access: opt.Access,
			Keep: opt.Keep, Follow: opt.Follow, Replaceable: opt.replaceable(), OnEnd: opt.OnEnd,
		})
		if err != nil {
			return nil, err // not a Consumer that holds a nil pointer
		}
		return r, nil
	}
	return openRing(seg, opt.ring())
}

// ringConsumer is an end of a ring that carries bytes.
type ringConsumer interface {
	ReadyConsumer
	ring.Member
}

// openRing attaches to a ring of either kind, in which the role is taken. It owns seg from here on.
func openRing(seg *shm.Segment, opt ring.ReaderOptions) (ringConsumer, error) {
	if seg.Geometry().Fixed() {
		r, err := ring.OpenSlotSegment(seg, opt)
		if err != nil {
			return nil, err // not an end that holds a nil pointer
		}
		return r, nil
	}
	r, err := ring.OpenSegment(seg, opt)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ring returns the options of a ring.
func (opt *ConsumerOptions) ring() ring.ReaderOptions {
	return ring.ReaderOptions{
		Spin: opt.Spin, Keep: opt.Keep, Access: opt.Access, Populate: opt.Populate,
		Follow: opt.Follow, Replaceable: opt.replaceable(), OnEnd: opt.OnEnd, OnMissed: opt.OnMissed,
	}
}

func (opt *ConsumerOptions) replaceable() layout.Replaceable {
	switch {
	case !opt.Replaceable:
		return layout.NotReplaceable
	case opt.Mode != 0:
		return layout.ReplaceableByMode
	}
	return layout.ReplaceableByAny
}

// check returns an ErrOption for a value that no mode has, before Open waits. Which mode it is,
// the segment says.
func (opt *ConsumerOptions) check() error {
	return cmp.Or(checkMode(opt.Mode), sleep.CheckSpin(opt.Spin))
}
