package shm

import (
	"errors"
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
		{InSegment("open", "x", &fs.PathError{Op: "open", Path: Path("x"), Err: unix.EACCES}), `open segment "x": permission denied`},
		{InSegment("open", "x", &fs.PathError{Op: "stat", Path: Path("x"), Err: unix.EACCES}), `open segment "x": stat /dev/shm/sluice.x: permission denied`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
	if InSegment("open", "x", nil) != nil {
		t.Error("an error out of none")
	}
	if _, err := OpenView("no.such.segment"); !errors.As(err, new(*SegmentError)) || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
