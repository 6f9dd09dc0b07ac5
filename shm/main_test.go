package shm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func ring(t *testing.T, capacity uint64) layout.Geometry {
	t.Helper()
	g, err := layout.RingGeometry(capacity, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// newSegment creates a ring of 64 KiB as its producer.
func newSegment(t *testing.T, name string) *Segment {
	t.Helper()
	s, err := Create(name, ring(t, 1<<16), layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Leave(keep) }) // an error when the test has left it
	return s
}

func join(t *testing.T, name string, r layout.Role) *Segment {
	t.Helper()
	s, err := Open(t.Context(), name, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Leave(keep) })
	return s
}

func keep() bool   { return false }
func remove() bool { return true }

func leave(t *testing.T, s *Segment, remove func() bool) (removed bool) {
	t.Helper()
	removed, err := s.Leave(remove)
	if err != nil {
		t.Fatal(err)
	}
	return removed
}

// refused expects that the role cannot be had, and for the reason want.
func refused(t *testing.T, name string, r layout.Role, want error) {
	t.Helper()
	s, err := Open(t.Context(), name, r)
	if err == nil {
		s.Leave(keep)
	}
	if !errors.Is(err, want) {
		t.Errorf("open as %v: %v, want %v", r, err, want)
	}
}

func exists(name string) bool {
	_, err := os.Lstat(Path(name))
	return err == nil
}

var children = testenv.Children{
	"hold":     holdChild,
	"create":   createChild,
	"nospace":  nospaceChild,
	"no query": noQueryChild,
}

// holdChild takes a role and keeps it until it is killed.
func holdChild(args []string) error {
	role := layout.Producer
	if args[1] == "consumer" {
		role = layout.Consumer
	}
	if _, err := Open(context.Background(), args[0], role); err != nil {
		return err
	}
	fmt.Println("holding")
	select {}
}

// lockByte takes the lock on one byte of a segment's file as a process that
// is not this package would.
func lockByte(t *testing.T, name string, at int64) *os.File {
	t.Helper()
	f, err := os.OpenFile(Path(name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMain(m *testing.M) { testenv.Main(m, children) }
