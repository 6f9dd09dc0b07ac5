package sluice

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// Producer sends messages. One goroutine at a time may use it; Close and Abort may be called
// from any, at any time.
//
// Every call that can wait takes a context. It returns the cause of a context that is done,
// within about a millisecond of a cancel or of the deadline; a call that need not wait may succeed
// all the same. After Close or Abort every call returns [ErrClosed], those that have no error do
// nothing, whatever their arguments are, and the counts stay. Two goroutines that use a Producer at
// once are not always found out, and can corrupt the segment.
type Producer interface {
	// Send copies msg, 0 to MaxMessage bytes, and publishes it, with whatever was committed
	// before. msg is the caller's again when it returns. A reservation is dropped. A ring that
	// is full makes it wait, unless its policy is another; a transfer at its limit does, if
	// that is its policy. With ProducerOptions.BlockTimeout both wait for so long first.
	//
	// On an error msg was not sent: that is [ErrFull] or [ErrDropped] by the policy of a full ring,
	// [ErrLimit] or [ErrDropped] by that of a transfer at its limit, [ErrTooLarge] or [ErrSize],
	// [ErrCorrupt], the cause of ctx, and of a transfer whatever keeps it from sending for good:
	// [ErrPeer], [ErrElsewhere], [ErrRemoved] or an error of the kernel.
	Send(ctx context.Context, msg []byte) error
	// SendBatch is Send of several, published together, or in parts where they do not fit at
	// once. It returns how many of them, the first ones, were sent before an error.
	SendBatch(ctx context.Context, msgs [][]byte) (int, error)

	// Reserve returns room for a message of n bytes, in the memory that the consumer will
	// read. The room is the caller's until Commit, Discard, Send or the next Reserve; its
	// content is unspecified, and its address a multiple of 8. After Close it can be written to
	// until the next call, to no effect. Reserve waits and fails as Send does, and then nothing
	// is reserved. It panics when n is negative.
	Reserve(ctx context.Context, n int) ([]byte, error)
	// Commit makes the first n bytes of the reservation a message, which the next Publish
	// sends; several can be committed before it. n may be less than was reserved. It panics
	// without a reservation of at least n bytes, and when n is negative.
	Commit(n int)
	// Discard drops the reservation, if there is one.
	Discard()
	// Publish sends everything that was committed. In a transfer that packs messages
	// (ProducerOptions.Buffer) it holds a part of a buffer back until that is full, or
	// Flush.
	Publish()
	// Flush is Publish that holds nothing back. Call it when there is nothing more to send
	// for now.
	Flush()

	// SetDue says when the messages that follow were due: when they should have been sent,
	// however long this Producer was kept from it. The consumer's response times count from
	// there ([pressure.Snapshot].Response). It holds for each message that is committed, by
	// Commit, Send or SendBatch, until the next SetDue; the zero Time, as at the start, says
	// that what follows is due at no time. A time from time.Now, or that plus a duration, is
	// exact; one without a monotonic reading is as right as the wall clock. It takes some ns.
	SetDue(at time.Time)

	// MaxMessage returns the largest message, in bytes: 8 less than the capacity of a ring, the
	// size of a fixed slot, and about as much as the limit of a transfer.
	MaxMessage() int
	// Published returns how many messages this Producer has published, those of earlier
	// producers of the segment not counted.
	Published() uint64
	// Unread returns how many messages the consumer has not released. After Close or Abort it
	// is how many those left: in a ring they wait for the next consumer, in a transfer they
	// are lost.
	Unread() uint64
	// Segment returns the segment: its name, its geometry, and who is there. Any goroutine may
	// call it. After Close only its Name and Geometry are of use.
	Segment() *shm.Segment

	// EndAs says how Close will have ended the stream; the default is [EndComplete]. After
	// [EndStopped] or [EndFailed] the consumer gets [ErrIncomplete].
	EndAs(end End)
	// KeepEnd makes Close leave the segment when no consumer was told how the stream has
	// ended, even without a message in it: the next consumer is told.
	KeepEnd()
	// Drain sends what is committed and waits until the consumer has released everything,
	// one that is still to come if there is none, or until ctx is done (its cause). It ends
	// nothing: what is not released stays queued, and more can be sent. It fails as Send does,
	// except for what a message is refused for. The goroutine that sends calls it.
	Drain(ctx context.Context) error
	// Close sends what is committed, ends the stream and releases the role. In a ring it waits
	// for nobody: messages stay for the next consumer. In a transfer it waits until a
	// consumer that lives has released everything; without one it returns [ErrUndelivered],
	// and the messages are lost. To wait for a consumer, call Drain first.
	//
	// Any goroutine may call it, at any time, and again: that returns nil. A call that waits
	// returns [ErrClosed]. Errors: [ErrUndelivered], [ErrRemoved] when the file of a ring was
	// removed and messages are lost with it, [ErrTruncated], what kept a transfer from sending,
	// and [ErrBusy] of a transfer, after which the role is still held. After any other error
	// the Producer is closed.
	Close() error
	// Abort is Close that gives up at once: what was not published, and in a transfer what
	// was not delivered, is lost, and the stream ends as [EndFailed]. It also ends a Close that
	// waits in another goroutine.
	Abort() error
}

// All engines are producers.
var (
	_ Producer = (*ring.Writer)(nil)
	_ Producer = (*ring.SlotWriter)(nil)
	_ Producer = (*transfer.Sender)(nil)
)

// ProducerOptions says how to create a Producer. The zero value is a ring of 1 MiB that makes
// the producer wait when it is full.
type ProducerOptions struct {
	// Mode is how messages travel; 0 means ModeRing.
	Mode Mode
	// Fresh removes what a pair that has gone left behind, instead of going on with it.
	Fresh bool
	// Keep leaves the segment in /dev/shm when both sides have gone, even if everything was
	// read.
	Keep bool
	// Access lets other users take part, if both sides ask for it: shm.GroupAccess. The zero
	// value lets nobody.
	Access shm.Access
	// Framing tells the consumer how messages were cut from an input.
	Framing layout.Framing

	// BlockTimeout is how long a call waits for room, in a ring that is full or in a transfer at
	// its limit, before it does what OnFull or OnLimit says, which must not be to Block: a ring
	// needs an OnFull then, a transfer a Limit. 0 = it does not wait. Each call waits by itself,
	// for each message that there is no room for. The timeout is kept within about a millisecond,
	// the wait counts as blocked, and a context that is done before it ends the call with its
	// cause: then no message is dropped or refused.
	BlockTimeout time.Duration

	// The next six are for ModeRing.

	// Capacity is the size of a ring in bytes, a power of two from 4096 to 2^31; 0 means 1
	// MiB, or whatever an existing segment has. Of fixed slots it is the most bytes, and may be
	// any number.
	Capacity uint64
	// SlotSize makes a ring of fixed slots of that many bytes, from 1 to 2^31, in which every
	// message has that size, and another one is [ErrSize]. 0 makes one of records, whose messages
	// have any size. [CreateOf] sets it by itself.
	SlotSize uint64
	// Slots is the most messages in a ring, at most 2^31; 0 means as many as the capacity
	// holds, or whatever an existing segment has.
	Slots uint64
	// OnFull is what happens when a ring is full; 0 means Block.
	OnFull Policy
	// Spin is how long to spin before sleeping while a ring is full; 0 adapts to the
	// waits, to 20 us at most, SpinNever sleeps at once.
	Spin time.Duration
	// Populate maps the memory of a ring of more than 16 MiB before Create returns, that of a new
	// one in huge pages if the kernel has some, instead of each page at the first access to it.
	// 1 GiB takes 0.1 to 2.5 s. A smaller ring always is.
	Populate bool

	// The next six are for ModeTransfer.

	// Limit is the most memory of a transfer's messages that are not released, in bytes, at
	// least 64 KiB; 0 means 1 GiB, NoLimit as much as the machine has.
	Limit uint64
	// OnLimit is what happens to a message for which a transfer has no room below Limit; 0 means
	// Fail, and the error is a [LimitError]. With Block the producer waits. Block and Drop need
	// a Limit.
	OnLimit Policy
	// ResumeAt is the share of Limit to which the memory of a transfer's messages that are not
	// released has to fall before a producer that waits (OnLimit is Block) goes on: more than 0
	// and at most 1; 0 means one half.
	ResumeAt float64
	// Buffer packs the messages of a transfer into buffers of that many bytes; 0 gives each
	// message a buffer of its own. In whole pages it is at most Limit.
	Buffer int
	// Recycle lets the buffers of a transfer come back and be used again. That is faster,
	// and without the kernel's guarantee that the producer can no longer modify a message.
	Recycle bool
	// Socket is the path of the Unix socket at which the consumer of a transfer listens; ""
	// means that of [transfer.SocketPath], the same on both sides.
	Socket string
}

// Create takes the producer's role in the segment called name, 1 to 64 of A-Z a-z 0-9 . _ -
// without a dot in front. It makes the segment, or goes on in one that an earlier producer has
// left: published messages of a ring are still delivered.
//
// Errors: [ErrName], [ErrOption], [ErrRoleTaken] when a producer lives, [ErrNoSpace],
// [ErrGeometry], [ErrFraming] and [ErrMode] when the segment is in use as something else,
// [ErrNotSegment], [ErrVersion], [ErrCorrupt], [ErrUntrusted], fs.ErrPermission, and the cause
// of ctx. With Fresh a consumer that lives is ErrRoleTaken too. Any goroutine may call it.
func Create(ctx context.Context, name string, opt ProducerOptions) (Producer, error) {
	if err := opt.check(); err != nil {
		return nil, shm.InSegment(endpoint.OpCreate, name, err)
	}
	if opt.Mode == ModeTransfer {
		s, err := transfer.Create(ctx, name, transfer.SenderOptions{
			Limit: opt.Limit, OnLimit: opt.OnLimit, ResumeAt: opt.ResumeAt, BlockTimeout: opt.BlockTimeout, Buffer: opt.Buffer, Recycle: opt.Recycle, Socket: opt.Socket,
			Fresh: opt.Fresh, Keep: opt.Keep, Access: opt.Access, Framing: opt.Framing,
		})
		if err != nil {
			return nil, err // not a Producer that holds a nil pointer
		}
		return s, nil
	}
	if opt.SlotSize > 0 {
		w, err := ring.CreateSlots(ctx, name, opt.SlotSize, opt.ring())
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	w, err := ring.Create(ctx, name, opt.ring())
	if err != nil {
		return nil, err
	}
	return w, nil
}

// ring returns the options of a ring.
func (opt *ProducerOptions) ring() ring.WriterOptions {
	return ring.WriterOptions{
		Capacity: opt.Capacity, Slots: opt.Slots, OnFull: opt.OnFull, BlockTimeout: opt.BlockTimeout, Spin: opt.Spin,
		Fresh: opt.Fresh, Keep: opt.Keep, Access: opt.Access, Framing: opt.Framing, Populate: opt.Populate,
	}
}

// check returns an ErrOption for a Mode that there is not, and for an option of the other mode:
// it would be ignored, and its absence is found out only when it is too late. What the options
// of a mode may be, its package checks.
func (opt *ProducerOptions) check() error {
	if err := checkMode(opt.Mode); err != nil {
		return err
	}
	of, unused := ModeTransfer, []string(nil)
	note := func(name string, set bool) {
		if set {
			unused = append(unused, name)
		}
	}
	if opt.Mode == ModeTransfer {
		of = ModeRing
		note("Capacity", opt.Capacity != 0)
		note("SlotSize", opt.SlotSize != 0)
		note("Slots", opt.Slots != 0)
		note("OnFull", opt.OnFull != 0)
		note("Spin", opt.Spin != SpinAdaptive)
		note("Populate", opt.Populate)
	} else {
		note("Limit", opt.Limit != 0)
		note("OnLimit", opt.OnLimit != 0)
		note("ResumeAt", opt.ResumeAt != 0)
		note("Buffer", opt.Buffer != 0)
		note("Recycle", opt.Recycle)
		note("Socket", opt.Socket != "")
	}
	switch len(unused) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%w: %s is for %v mode", ErrOption, unused[0], of)
	}
	return fmt.Errorf("%w: %s are for %v mode", ErrOption, strings.Join(unused, ", "), of)
}

func checkMode(m Mode) error {
	if m > ModeTransfer {
		return fmt.Errorf("%w: Mode %d is neither ModeRing nor ModeTransfer", ErrOption, m)
	}
	return nil
}
