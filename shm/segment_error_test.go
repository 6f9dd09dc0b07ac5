package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
)

func TestInSegment_NamedOnce(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{InSegment("open", "x", ErrRoleTaken), `open segment "x": role is taken`},
		{InSegment("", "x", ErrRoleTaken), `segment "x": role is taken`},
		{InSegment("", "x", InSegment("open", "x", ErrRoleTaken)), `open segment "x": role is taken`},
		{InSegment("", "x", InSegment("open", "y", ErrRoleTaken)), `segment "x": open segment "y": role is taken`},
		{InSegment("close", "x", InSegment("", "x", ErrRemoved)), `close segment "x": segment was removed`},
		{InSegment("close", "x", nil, errors.New("a"), InSegment("leave", "x", errors.New("b"))), `close segment "x": a; b`},
		{InSegment("", "x", errors.New("a"), InSegment("leave", "x", errors.New("b"))), `leave segment "x": a; b`},
		{InSegment("close", "x", errors.New("a"), InSegment("open", "y", errors.New("b"))), `close segment "x": a; open segment "y": b`},
		{InSegment("close", "x", ErrTruncated, fmt.Errorf("%w: by 5", ErrTruncated), errors.New("a"), errors.New("a")), `close segment "x": segment was truncated under its mapping: by 5; a`},
		{InSegment("close", "x", ErrTruncated, ErrRemoved), `close segment "x": segment was truncated under its mapping; segment was removed`},
		{InSegment("open", "a b", CheckName("a b")), `bad segment name "a b": only A-Z a-z 0-9 . _ - are allowed`},
		{InSegment("open", "x", &fs.PathError{Op: "open", Path: Path("x"), Err: unix.EACCES}), `open segment "x": permission denied`},
		{InSegment("open", "x", &fs.PathError{Op: "stat", Path: Path("x"), Err: unix.EACCES}), `open segment "x": stat /dev/shm/sluice.x: permission denied`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
	if InSegment("open", "x", nil) != nil || InSegment("open", "x") != nil || InSegment("open", "x", nil, nil) != nil {
		t.Error("an error out of none")
	}
	shared := InSegment("", "x", ErrRemoved)
	InSegment("close", "x", shared)
	InSegment("close", "x", shared, ErrRoleTaken)
	if want := `segment "x": segment was removed`; shared.Error() != want {
		t.Errorf("%v, want %s: an error may be used by several goroutines", shared, want)
	}
	all := []error{shared, ErrRoleTaken}
	if err := InSegment("close", "x", all...); all[0] != shared || !errors.Is(err, ErrRemoved) || !errors.Is(err, ErrRoleTaken) {
		t.Errorf("%v of %v", err, all)
	}
	if _, err := OpenView("no.such.segment"); !errors.As(err, new(*SegmentError)) || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
