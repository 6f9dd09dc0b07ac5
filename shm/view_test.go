package shm

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func look(t *testing.T, name string) *View {
	t.Helper()
	v, err := OpenView(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestView_SeesHoldersDisturbsNobody(t *testing.T) {
	name := testenv.SegmentName(t)
	s := newSegment(t, name)
	v := look(t, name)
	if !alive(t, v, layout.Producer) || alive(t, v, layout.Consumer) || v.Gone() || v.Name() != name || v.Geometry() != s.Geometry() {
		t.Errorf("producer %v, consumer %v, gone %v, %+v", alive(t, v, layout.Producer), alive(t, v, layout.Consumer), v.Gone(), v.Geometry())
	}
	s.Header().Producer.Count.Store(17)
	if got := v.Header().Producer.Count.Load(); got != 17 {
		t.Errorf("count %d, want 17", got)
	}
	c := join(t, name, layout.Consumer) // which a lock of the view's would refuse
	if !alive(t, v, layout.Consumer) {
		t.Error("the consumer is not seen")
	}
	c.Leave(keep)
	if removed, err := s.Leave(remove); !removed || err != nil {
		t.Errorf("removed %v, %v", removed, err)
	}
	if !v.Gone() || alive(t, v, layout.Producer) {
		t.Error("what is gone is not seen to be")
	}
}

func TestView_ReadOnly(t *testing.T) {
	name := testenv.SegmentName(t)
	s := newSegment(t, name)
	defer s.Leave(remove)
	v := look(t, name)
	if err := Guard(func() error { v.header[layout.HeaderSize-1] = 1; return nil }); !errors.Is(err, ErrTruncated) {
		t.Errorf("writing gave %v, want a fault", err)
	}
}

func TestView_NoSegment_Refused(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(path string) error
		want error
	}{
		{"nothing", func(string) error { return nil }, fs.ErrNotExist},
		{"an empty file", func(path string) error { return os.WriteFile(path, nil, 0o600) }, layout.ErrNotSegment},
		{"zeros", func(path string) error { return os.WriteFile(path, make([]byte, layout.HeaderSize), 0o600) }, layout.ErrNotSegment},
		{"a symbolic link", func(path string) error { return os.Symlink("/etc/passwd", path) }, ErrUntrusted},
		{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, ErrUntrusted},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, ErrUntrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := testenv.SegmentName(t)
			if err := c.make(Path(name)); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenView(name); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	if _, err := OpenView("../x"); !errors.Is(err, ErrName) {
		t.Errorf("%v", err)
	}
}

func TestList_SegmentNames(t *testing.T) {
	name := testenv.SegmentName(t)
	s := newSegment(t, name)
	names, err := List()
	if err != nil || !slices.Contains(names, name) || !slices.IsSorted(names) {
		t.Errorf("%v, %v", names, err)
	}
	s.Leave(remove)
	if names, err = List(); err != nil || slices.Contains(names, name) {
		t.Errorf("%v, %v", names, err)
	}
}
