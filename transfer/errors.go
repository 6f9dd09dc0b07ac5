package transfer

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/internal/sentinel"
	"sluice/layout"
	"sluice/shm"
)

// Errors of this package, for errors.Is.
var (
	// ErrIncomplete: the producer has ended before the end of what it had to send, or
	// messages were lost with one that died, and every other message was taken. It is also
	// io.ErrUnexpectedEOF, and not io.EOF.
	ErrIncomplete = layout.ErrIncomplete
	// ErrDetached: the buffer was sent. It is its receiver's now.
	ErrDetached = errors.New("buffer is detached")
	// ErrLimit: the messages in flight take as much memory as was allowed. The
	// error is a *LimitError.
	ErrLimit = errors.New("memory limit reached")
	// ErrUndelivered: messages that were accepted will never be delivered. The error is an
	// *UndeliveredError where their number is known.
	ErrUndelivered = errors.New("messages were lost")
	// ErrDescriptors: a packet's descriptors did not fit into this process's table, or there
	// is none to begin with. What did not fit comes again when the limit (RLIMIT_NOFILE,
	// ulimit -n) allows it.
	ErrDescriptors = errors.New("out of descriptors")
	// ErrPeer: the socket at that path is not the peer's: another user's, or
	// something that listens there without being a consumer.
	ErrPeer = errors.New("the socket cannot be used")
	// ErrOtherUser: the ErrPeer of a peer that runs as another user, which a group that
	// both are in would let in.
	ErrOtherUser = sentinel.New("the peer runs as another user", ErrPeer)
	// ErrSharedDirectory: the ErrPeer of a directory in which somebody else could put
	// another socket in the place of this one.
	ErrSharedDirectory = sentinel.New("the directory of the socket is not safe to use", ErrPeer)
	// ErrNoDirectory: the socket was asked for in a directory that is not there.
	ErrNoDirectory = errors.New("there is no directory for the socket")
	// ErrSocketTaken is the ErrRoleTaken of a socket at which a process listens.
	ErrSocketTaken = sentinel.New("the socket is in use", ErrRoleTaken)
	// ErrSocketRemoved: the consumer's socket was removed or replaced while it listened,
	// and cannot be made again.
	ErrSocketRemoved = errors.New("the consumer's socket was removed")
	// ErrElsewhere: the consumer lives, and listens at a path to which this producer does
	// not connect: what the header page says of it is not to be trusted, or nobody listens
	// there.
	ErrElsewhere = errors.New("the consumer listens elsewhere")
	// These are the same in both modes. ErrClosed: the end was closed by its owner; it is also
	// os.ErrClosed. ErrDropped: there was no room below the limit, and the message was counted as
	// dropped. ErrEmpty: there is no message now. ErrTooLarge: the message can never fit.
	// ErrOption: an option has a value that makes no sense. ErrUnreleased: the Receiver waits for a
	// message, and the Sender, at its limit or in Drain, until messages that the Receiver holds are
	// released.
	ErrClosed     = endpoint.ErrClosed
	ErrDropped    = endpoint.ErrDropped
	ErrEmpty      = endpoint.ErrEmpty
	ErrTooLarge   = endpoint.ErrTooLarge
	ErrOption     = endpoint.ErrOption
	ErrUnreleased = endpoint.ErrUnreleased
	// ErrBusy: Close has timed out while it waited for a call of another goroutine to return.
	ErrBusy = errors.New("a call of another goroutine is under way and does not end")

	// ErrCorrupt, ErrVersion and ErrRoleTaken are those of packages layout and
	// shm, repeated for convenience.
	ErrCorrupt   = layout.ErrCorrupt
	ErrVersion   = layout.ErrVersion
	ErrRoleTaken = shm.ErrRoleTaken
)

// LimitError is ErrLimit with the figures that led to it.
type LimitError struct {
	Limit    uint64 // bytes
	Waiting  uint64 // messages in flight
	Produced uint64 // messages since this Sender began, as all below
	Consumed uint64
	After    time.Duration
}

// Error gives the figures in a sentence.
func (e *LimitError) Error() string {
	per := func(n uint64) string {
		return format.Rate(float64(n)/max(e.After.Seconds(), 1e-9)) + " msg/s"
	}
	text := fmt.Sprintf("%v: %s in flight after %s, %s of it unread", ErrLimit,
		format.Size(e.Limit), format.Duration(e.After), format.Messages(e.Waiting))
	if e.Consumed == 0 {
		return fmt.Sprintf("%s; the producer sent %s, the consumer received none", text, per(e.Produced))
	}
	less := float64(e.Produced) / float64(e.Consumed)
	times := fmt.Sprintf("%.1f", less)
	if less >= 10 {
		times = format.Count(int64(math.Round(less)))
	}
	return fmt.Sprintf("%s; the producer sent %s, the consumer received %s, %s times less", text, per(e.Produced), per(e.Consumed), times)
}

// Is makes it ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// UndeliveredError is ErrUndelivered with the number of messages.
type UndeliveredError struct {
	Lost uint64 // messages that were accepted, and that no consumer has released
	why  string
}

// Error gives the number in a sentence.
func (e *UndeliveredError) Error() string {
	return fmt.Sprintf("%v: %s %s", ErrUndelivered, format.Count(e.Lost), e.why)
}

// Is makes it ErrUndelivered.
func (e *UndeliveredError) Is(target error) bool { return target == ErrUndelivered }
