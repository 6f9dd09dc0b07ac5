package endpoint

import (
	"errors"
	"fmt"
	"time"

	"sluice/shm"
)

// Errors that both modes return, under these names in packages ring and transfer.
var (
	// ErrClosed: the end was closed by its owner. It is also os.ErrClosed.
	ErrClosed = shm.ErrClosed
	// ErrEmpty: there is no message now, and the call does not wait for one.
	ErrEmpty = errors.New("no message now")
	// ErrFull: there is no room for the message, and the policy is to fail.
	ErrFull = errors.New("queue is full")
	// ErrDropped: there is no room, and the message was given up and counted as dropped. It is
	// also ErrFull.
	ErrDropped = fmt.Errorf("message was dropped: %w", ErrFull)
	// ErrUnreleased: the consumer waits for a message, and the producer (for room, or in Drain)
	// until messages that the consumer holds are released.
	ErrUnreleased = errors.New("the producer waits for messages that are not released")
	// ErrOption: an option has a value that makes no sense.
	ErrOption = errors.New("invalid option")
	// ErrTooLarge: the message can never fit.
	ErrTooLarge = errors.New("message is too large")
)

// CheckBlockTimeout returns an ErrOption for a BlockTimeout that is negative, or that has no policy
// to follow it, because the one that there is blocks. needs says what it needs then.
func CheckBlockTimeout(d time.Duration, blocks bool, needs string) error {
	switch {
	case d < 0:
		return fmt.Errorf("%w: BlockTimeout %v is negative", ErrOption, d)
	case d > 0 && blocks:
		return fmt.Errorf("%w: BlockTimeout needs %s", ErrOption, needs)
	}
	return nil
}
