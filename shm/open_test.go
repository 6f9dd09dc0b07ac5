package shm

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

// abandoned returns the name of a healthy segment that nobody holds.
func abandoned(t *testing.T) string {
	t.Helper()
	name := testenv.SegmentName(t)
	leave(t, newSegment(t, name), keep)
	return name
}

func TestOpen_Damaged_Refused(t *testing.T) {
	write := func(b []byte) func(t *testing.T, path string) error {
		return func(_ *testing.T, path string) error { return os.WriteFile(path, b, 0o600) }
	}
	// edit puts a healthy segment there, but for what change does to its bytes.
	edit := func(change func(b []byte) []byte) func(t *testing.T, path string) error {
		return func(t *testing.T, path string) error {
			b, err := os.ReadFile(Path(abandoned(t)))
			if err != nil {
				return err
			}
			return os.WriteFile(path, change(b), 0o600)
		}
	}
	for _, c := range []struct {
		name string
		want error
		put  func(t *testing.T, path string) error
	}{
		{"nothing", fs.ErrNotExist, func(*testing.T, string) error { return nil }},
		{"a healthy copy", nil, edit(slices.Clone[[]byte])},
		{"a symbolic link to a healthy segment", ErrUntrusted, func(t *testing.T, path string) error {
			return os.Symlink(Path(abandoned(t)), path)
		}},
		{"a dangling symbolic link", ErrUntrusted, func(_ *testing.T, path string) error { return os.Symlink("nowhere", path) }},
		{"a folder", ErrUntrusted, func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }},
		{"a fifo", ErrUntrusted, func(_ *testing.T, path string) error { return unix.Mkfifo(path, 0o600) }},
		{"a socket", ErrUntrusted, func(t *testing.T, path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}},
		{"a segment that everybody may write", ErrUntrusted, func(t *testing.T, path string) error {
			if err := edit(slices.Clone[[]byte])(t, path); err != nil {
				return err
			}
			return os.Chmod(path, 0o602)
		}},
		{"an empty file", layout.ErrNotSegment, write(nil)},
		{"a short file", layout.ErrNotSegment, write(make([]byte, 100))},
		{"a file one byte short of a header", layout.ErrNotSegment, edit(func(b []byte) []byte { return b[:layout.HeaderSize-1] })},
		{"a file of zeros", layout.ErrNotSegment, write(make([]byte, 3*layout.HeaderSize))},
		{"random bytes", layout.ErrNotSegment, write(bytes.Repeat([]byte("a log file\n"), 4096))},
		{"another version", layout.ErrVersion, edit(func(b []byte) []byte { b[8]++; return b })},
		{"version 1, whose header was shorter", layout.ErrVersion, edit(func(b []byte) []byte { b[8] = 1; return b[:8192] })},
		{"a header without data", layout.ErrCorrupt, edit(func(b []byte) []byte { return b[:layout.HeaderSize] })},
		{"a file that is too short", layout.ErrCorrupt, edit(func(b []byte) []byte { return b[:len(b)-1] })},
		{"a file that is too long", layout.ErrCorrupt, edit(func(b []byte) []byte { return append(b, 0) })},
		{"an odd capacity", layout.ErrCorrupt, edit(func(b []byte) []byte { b[0x20]++; return b })},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := testenv.SegmentName(t)
			if err := c.put(t, Path(name)); err != nil {
				t.Fatal(err)
			}
			before := testenv.Resources()
			for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
				refused(t, name, r, c.want)
			}
			if after := testenv.Resources(); len(after) != len(before) {
				t.Errorf("a refusal leaks: %q", after)
			}
		})
	}
}

// Anybody can make the file before the producer does, and read what it writes.
func TestOpen_OtherUser_Refused(t *testing.T) {
	name := abandoned(t)
	const nobody = 65534
	if err := os.Chown(Path(name), nobody, -1); err != nil {
		t.Skipf("NOT TESTED: only root can give a file away: %v", err)
	}
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		refused(t, name, r, ErrUntrusted)
	}
	if err := Remove(t.Context(), name); !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
	if !exists(name) {
		t.Error("it is gone")
	}
}

func TestOpen_Refused_LeaksNothing(t *testing.T) {
	name := testenv.SegmentName(t)
	newSegment(t, name)
	before := testenv.Resources()
	if _, err := Create(name, ring(t, 4096), layout.Producer); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	refused(t, name, layout.Producer, ErrRoleTaken)
	if err := Remove(t.Context(), name); !errors.Is(err, ErrRoleTaken) {
		t.Error(err)
	}
	if after := testenv.Resources(); len(after) != len(before) {
		t.Errorf("%q", after)
	}
}

func TestOpen_JoinLockHeld_WaitsForContext(t *testing.T) {
	name := abandoned(t)
	joinLock := lockByte(t, name, 2)
	if s, err := Open(testenv.Canceled(), name, layout.Producer); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, %v", s, err)
	}
	if err := Remove(testenv.Canceled(), name); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := Open(context.Background(), name, layout.Producer)
		if err == nil {
			_, err = s.Leave(keep)
		}
		opened <- err
	}()
	joinLock.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// Open looks at the size once; the file may shrink before it reads the header.
func TestOpen_FileShrinksMeanwhile_Error(t *testing.T) {
	if raceDetector {
		t.Skip("SKIPPED, NOT TESTED: the race detector does not survive a fault in an atomic load")
	}
	name := testenv.SegmentName(t)
	if err := os.WriteFile(Path(name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var shrinking sync.WaitGroup
	shrinking.Go(func() {
		for !done.Load() {
			os.Truncate(Path(name), 2*layout.HeaderSize)
			os.Truncate(Path(name), 0)
		}
	})
	for range 5000 {
		s, err := Open(t.Context(), name, layout.Consumer)
		if !errors.Is(err, layout.ErrNotSegment) && !errors.Is(err, ErrTruncated) {
			t.Errorf("%v, %v", s, err)
			break
		}
	}
	done.Store(true)
	shrinking.Wait()
}

// The last side may remove the file after another has opened it and before that one gets the
// join lock. Then the other one has a file without a name.
func TestOpen_FileRemovedMeanwhile_NoRole(t *testing.T) {
	for what, put := range map[string]func(t *testing.T, name string){
		"removed":  func(*testing.T, string) {},
		"replaced": func(t *testing.T, name string) { newSegment(t, name) },
	} {
		t.Run(what, func(t *testing.T) {
			name := abandoned(t)
			joinLock := lockByte(t, name, 2)
			before := len(testenv.Resources())
			opened := make(chan error, 1)
			go func() {
				s, err := Open(context.Background(), name, layout.Consumer)
				if err == nil {
					s.Leave(keep)
				}
				opened <- err
			}()
			// The file open, its header and its data mapped twice: it waits for the join lock.
			testenv.Eventually(t, "the open", func() bool { return len(testenv.Resources()) == before+4 })
			if err := os.Remove(Path(name)); err != nil {
				t.Fatal(err)
			}
			put(t, name)
			joinLock.Close()
			if err := <-opened; !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v, want %v", err, fs.ErrNotExist)
			}
		})
	}
}
