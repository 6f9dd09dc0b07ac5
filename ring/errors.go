package ring

import (
	"errors"
	"fmt"
	"os"

	"sluice/layout"
	"sluice/shm"
)

// Errors of this package, for errors.Is.
var (
	// ErrIncomplete: the producer has ended before the end of what it had to send, and
	// every message was taken. It is also io.ErrUnexpectedEOF, and not io.EOF.
	ErrIncomplete = layout.ErrIncomplete
	// ErrFull: no room, and the Writer was told not to wait.
	ErrFull = errors.New("ring is full")
	// ErrDropped: no room, and the message was given up and counted as
	// dropped. It is also ErrFull.
	ErrDropped = fmt.Errorf("message was dropped: %w", ErrFull)
	// ErrEmpty: no message, and the Reader was told not to wait.
	ErrEmpty = errors.New("ring is empty")
	// ErrTooLarge: the message can never fit.
	ErrTooLarge = errors.New("message is larger than the ring takes")
	// ErrUnreleased: the Reader waits for a message while it holds so many that
	// the Writer has no room for another. Release some.
	ErrUnreleased = errors.New("unreleased messages fill the ring")
	// ErrGeometry: an existing segment has another capacity or other slots
	// than were asked for, and cannot be replaced.
	ErrGeometry = errors.New("segment exists with another geometry")
	// ErrFraming: the unread messages of an existing segment have another
	// framing than was asked for.
	ErrFraming = errors.New("segment exists with another framing")
	// ErrClosed: the Writer or Reader was closed by its owner. It is also
	// os.ErrClosed.
	ErrClosed = fmt.Errorf("ring: %w", os.ErrClosed)

	// ErrCorrupt, ErrVersion, ErrRoleTaken, ErrTruncated and ErrRemoved are
	// those of packages layout and shm, repeated for convenience.
	ErrCorrupt   = layout.ErrCorrupt
	ErrVersion   = layout.ErrVersion
	ErrRoleTaken = shm.ErrRoleTaken
	ErrTruncated = shm.ErrTruncated
	ErrRemoved   = shm.ErrRemoved
)
