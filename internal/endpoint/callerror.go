package endpoint

import (
	"context"
	"errors"
	"io"

	"sluice/shm"
)

// The operations of an end in a shm.SegmentError.
const (
	OpCreate  = "create"
	OpOpen    = "open"
	OpSend    = "send to"
	OpReceive = "receive from"
	OpDrain   = "drain"
	OpClose   = "close"
)

// CallError returns err, with which a call of the end that is attached to seg has failed, as a
// shm.SegmentError of that operation. What a caller expects, and compares to go on, stays a plain
// value: io.EOF, ErrClosed, ErrEmpty, ErrFull, ErrDropped, and the cause of ctx, which is done. seg
// is nil for an end on plain memory, which has no name.
func CallError(ctx context.Context, op string, seg *shm.Segment, err error) error {
	switch {
	case seg == nil, err == nil, err == io.EOF, err == ErrClosed, err == ErrEmpty, err == ErrFull, err == ErrDropped:
		return err
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return err
	}
	return shm.InSegment(op, seg.Name(), err)
}
