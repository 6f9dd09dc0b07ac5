package shm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// SegmentError says in which segment something failed, and in doing what, as fs.PathError does
// for a file.
type SegmentError struct {
	Op   string // "open", "create", "send to" and so on; "" = it was in use
	Name string // of the segment
	Err  error  // what failed; several of them as errors.Join does
}

// Error returns for example `open segment "demo": role is taken`, in one line. An operation that
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
	return strings.ReplaceAll(e.Err.Error(), "\n", "; ")
}

// Unwrap returns what failed.
func (e *SegmentError) Unwrap() error { return e.Err }

// InSegment returns errs as one SegmentError, nil when all of them are nil. A single error that is
// about that segment already keeps its operation, if it has one, and an ErrName, which has the
// name in it, stays as it is. Of several, none names the segment again, and what more than one of
// them has found out, that the segment was truncated or removed, is there once.
func InSegment(op, name string, errs ...error) error {
	errs = distinct(errs)
	switch len(errs) {
	case 0:
		return nil
	case 1:
		err := errs[0]
		e := (*SegmentError)(nil)
		switch {
		case errors.Is(err, ErrName):
			return err
		case !errors.As(err, &e) || e.Name != name:
			return &SegmentError{Op: op, Name: name, Err: err}
		case e == err && e.Op == "":
			return &SegmentError{Op: op, Name: name, Err: e.Err}
		}
		return err
	}
	for i, err := range errs {
		if e, ok := err.(*SegmentError); ok && e.Name == name {
			op, errs[i] = cmp.Or(op, e.Op), e.Err
		}
	}
	return &SegmentError{Op: op, Name: name, Err: errors.Join(errs...)}
}

// distinct returns the errors without those that are nil or say what another one says. Of two that
// have found out the same about the segment, the longer text stays.
func distinct(errs []error) (all []error) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		at := slices.IndexFunc(all, func(other error) bool {
			both := func(state error) bool { return errors.Is(err, state) && errors.Is(other, state) }
			return err.Error() == other.Error() || both(ErrTruncated) || both(ErrRemoved)
		})
		switch {
		case at < 0:
			all = append(all, err)
		case len(err.Error()) > len(all[at].Error()):
			all[at] = err
		}
	}
	return all
}
