package transfer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"

	"sluice/layout"
	"sluice/shm"
)

// Errors of this package, for errors.Is.
var (
	// ErrClosed: the producer has ended and every message was taken. It is
	// also io.EOF.
	ErrClosed = fmt.Errorf("the producer has ended the transfer: %w", io.EOF)
	// ErrDetached: the buffer was sent. It is its receiver's now.
	ErrDetached = errors.New("buffer is detached")
	// ErrLimit: the messages in flight take as much memory as was allowed. The
	// error is a *LimitError.
	ErrLimit = errors.New("memory limit reached")
	// ErrTooLarge: more than a message may have.
	ErrTooLarge = errors.New("message is larger than a buffer can be")
	// ErrLost: messages that were accepted will never be delivered.
	ErrLost = errors.New("messages were lost")
	// ErrPeer: the socket at that path is not the peer's: another user's, or
	// something that listens there without being a consumer.
	ErrPeer = errors.New("refused the socket")
	// ErrDone: the Sender or Receiver was closed by its owner. It is also
	// os.ErrClosed.
	ErrDone = fmt.Errorf("transfer: %w", os.ErrClosed)

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
		return humanize.CommafWithDigits(float64(n)/max(e.After.Seconds(), 1e-9), 0) + " msg/s"
	}
	text := fmt.Sprintf("%v: %s in flight after %.1f s, %s messages of it unread", ErrLimit,
		humanize.IBytes(e.Limit), e.After.Seconds(), humanize.Comma(int64(e.Waiting)))
	if e.Consumed == 0 {
		return fmt.Sprintf("%s; the producer gave %s, the consumer took none", text, per(e.Produced))
	}
	return fmt.Sprintf("%s; the producer gave %s, the consumer took %s, %.1f times less", text,
		per(e.Produced), per(e.Consumed), float64(e.Produced)/float64(e.Consumed))
}

// Is makes it ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }
