package layout

import (
	"errors"
	"io"

	"sluice/internal/sentinel"
)

// Errors that a header or a record can give. They are wrapped with the values
// that led to them; test with errors.Is.
var (
	// ErrNotSegment: the file does not start with a sluice header.
	ErrNotSegment = errors.New("not a sluice segment")
	// ErrVersion: the header is of another version of this layout.
	ErrVersion = errors.New("segment is of another version")
	// ErrMode: the segment is of the other mode.
	ErrMode = errors.New("segment is of another mode")
	// ErrCorrupt: a field or a record holds a value no healthy peer writes.
	ErrCorrupt = errors.New("segment is corrupt")
	// ErrIncomplete: the stream has ended, and some of it is missing. It is
	// io.ErrUnexpectedEOF, and not io.EOF.
	ErrIncomplete = sentinel.New("the stream is not complete", io.ErrUnexpectedEOF)
)
