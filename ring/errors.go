package ring

import (
	"errors"
	"fmt"

	"sluice/internal/endpoint"
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
	// ErrUnreleased: the Reader waits for a message while it holds so many that
	// the Writer has no room for another. Release some.
	ErrUnreleased = errors.New("unreleased messages fill the ring")
	// ErrGeometry: an existing segment has another capacity or other slots
	// than were asked for, and cannot be replaced.
	ErrGeometry = errors.New("segment exists with another geometry")
	// ErrFraming: the unread messages of an existing segment have another
	// framing than was asked for.
	ErrFraming = errors.New("segment exists with another framing")

	// ErrClosed, ErrEmpty and ErrTooLarge are the same in both modes: the end was closed by
	// its owner (also os.ErrClosed), there is no message now, and a message that can never
	// fit.
	ErrClosed   = endpoint.ErrClosed
	ErrEmpty    = endpoint.ErrEmpty
	ErrTooLarge = endpoint.ErrTooLarge

	// ErrCorrupt, ErrVersion, ErrRoleTaken, ErrTruncated and ErrRemoved are
	// those of packages layout and shm, repeated for convenience.
	ErrCorrupt   = layout.ErrCorrupt
	ErrVersion   = layout.ErrVersion
	ErrRoleTaken = shm.ErrRoleTaken
	ErrTruncated = shm.ErrTruncated
	ErrRemoved   = shm.ErrRemoved
)
