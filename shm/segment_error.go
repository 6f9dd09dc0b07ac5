package shm

import (
	"errors"
	"fmt"
	"io/fs"
)

// SegmentError says in which segment something failed, as fs.PathError does for a
// file.
type SegmentError struct {
	Op   string // "open", "create", "remove" and so on; "" = it was in use
	Name string
	Err  error
}

// Error returns for example `open segment "demo": role is taken`. An operation that
// failed on the segment's own file is named once.
func (e *SegmentError) Error() string {
	op := e.Op
	if op != "" {
		op += " "
	}
	return fmt.Sprintf("%ssegment %q: %s", op, e.Name, e.Cause())
}

// Cause returns the text of Error without the segment and the operation on it.
func (e *SegmentError) Cause() string {
	if p, ok := e.Err.(*fs.PathError); ok && p.Op == e.Op && p.Path == Path(e.Name) {
		return p.Err.Error()
	}
	return e.Err.Error()
}

// Unwrap returns what failed.
func (e *SegmentError) Unwrap() error { return e.Err }

// InSegment returns err as a SegmentError, unless it is nil or is about that segment
// already.
func InSegment(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*SegmentError)(nil); errors.As(err, &e) && e.Name == name {
		return err
	}
	return &SegmentError{Op: op, Name: name, Err: err}
}
