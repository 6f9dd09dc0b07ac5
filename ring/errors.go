package ring

import (
	"errors"

	"sluice/internal/endpoint"
	"sluice/internal/sentinel"
	"sluice/layout"
	"sluice/shm"
)

// Errors of this package, for errors.Is.
var (
	// ErrIncomplete: the producer has ended before the end of what it had to send, and
	// every message was taken. It is also io.ErrUnexpectedEOF, and not io.EOF.
	ErrIncomplete = layout.ErrIncomplete
	// ErrGeometry: an existing segment has another capacity, other slots or, if the error is an
	// ErrType too, another type than was asked for, and cannot be replaced.
	ErrGeometry = errors.New("segment exists with another geometry")
	// ErrType: the ring carries messages of another kind than the caller asks for: fixed slots of
	// another size or another type, or records of variable size.
	ErrType = errors.New("segment carries another type")
	// ErrSize: a message has not the size of a fixed slot.
	ErrSize = errors.New("message has another size than the slots")
	// errTypeInUse: both, of an existing segment that cannot be replaced.
	errTypeInUse = sentinel.New("segment exists with another type", ErrGeometry, ErrType)
	// ErrFraming: the unread messages of an existing segment have another
	// framing than was asked for.
	ErrFraming = errors.New("segment exists with another framing")

	// These are the same in both modes. ErrFull: no room, and the Writer was told not to wait.
	// ErrDropped: no room, and the message was given up and counted as dropped; it is also
	// ErrFull. ErrClosed: the end was closed by its owner; it is also
	// os.ErrClosed. ErrEmpty: there is no message now. ErrTooLarge: the message can never
	// fit. ErrOption: an option has a value that makes no sense. ErrUnreleased: the Reader waits
	// for a message, and the Writer, for room or in Drain, until messages that the Reader holds
	// are released.
	ErrFull       = endpoint.ErrFull
	ErrDropped    = endpoint.ErrDropped
	ErrClosed     = endpoint.ErrClosed
	ErrEmpty      = endpoint.ErrEmpty
	ErrTooLarge   = endpoint.ErrTooLarge
	ErrOption     = endpoint.ErrOption
	ErrUnreleased = endpoint.ErrUnreleased

	// ErrCorrupt, ErrVersion, ErrRoleTaken, ErrTruncated and ErrRemoved are
	// those of packages layout and shm, repeated for convenience.
	ErrCorrupt   = layout.ErrCorrupt
	ErrVersion   = layout.ErrVersion
	ErrRoleTaken = shm.ErrRoleTaken
	ErrTruncated = shm.ErrTruncated
	ErrRemoved   = shm.ErrRemoved
)
