package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestCreate_Exists_Refused(t *testing.T) {
	for what, put := range map[string]func(path string) error{
		"a file":    func(path string) error { return os.WriteFile(path, []byte("mine"), 0o600) },
		"a fifo":    func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a segment": func(string) error { return nil },
	} {
		t.Run(what, func(t *testing.T) {
			name := testenv.SegmentName(t)
			if what == "a segment" {
				newSegment(t, name)
			} else if err := put(Path(name)); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(Path(name))
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Create(name, ring(t, 4096), layout.Consumer); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%v, %v", s, err)
			}
			after, err := os.Lstat(Path(name))
			if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() || before.ModTime() != after.ModTime() {
				t.Errorf("it was %v and is %v, %v", before, after, err)
			}
		})
	}
}

func TestCreate_SymbolicLink_Refused(t *testing.T) {
	name, target := testenv.SegmentName(t), Path(testenv.SegmentName(t))
	if err := os.Symlink(target, Path(name)); err != nil {
		t.Fatal(err)
	}
	if s, err := Create(name, ring(t, 4096), layout.Producer); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, %v", s, err)
	}
	if got, err := os.Readlink(Path(name)); got != target {
		t.Errorf("the link is now %q, %v", got, err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something stands at the link's target: %v", err)
	}
}

func TestCreate_PrivateAndReserved(t *testing.T) {
	for _, g := range []layout.Geometry{{Mode: layout.ModeTransfer}, ring(t, 4096), ring(t, 1<<20), ring(t, 64<<20)} {
		name := testenv.SegmentName(t)
		s, err := Create(name, g, layout.Producer)
		if err != nil {
			t.Fatal(err)
		}
		st, err := os.Lstat(Path(name))
		leave(t, s, remove)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode() != 0o600 {
			t.Errorf("mode %v", st.Mode())
		}
		if st.Size() != g.FileSize() {
			t.Errorf("%d bytes, want %d", st.Size(), g.FileSize())
		}
		if reserved := st.Sys().(*syscall.Stat_t).Blocks * 512; reserved < g.FileSize() {
			t.Errorf("%d bytes of %d are reserved", reserved, g.FileSize())
		}
	}
}

func TestCreate_Identity(t *testing.T) {
	name, g := testenv.SegmentName(t), ring(t, 1<<16)
	s := newSegment(t, name)
	peer := join(t, name, layout.Consumer)
	if s.Geometry() != g || peer.Geometry() != g || s.Name() != name || peer.Name() != name {
		t.Errorf("%q %+v, %q %+v", s.Name(), s.Geometry(), peer.Name(), peer.Geometry())
	}
	created := time.Unix(0, int64(s.Header().Identity.CreatedAt.Load()))
	if age := time.Since(created); age.Abs() > 24*time.Hour { // the clock may be set while the test runs
		t.Errorf("it was created at %v", created)
	}
	s.Header().Producer.Count.Store(42)
	if got := peer.Header().Producer.Count.Load(); got != 42 {
		t.Errorf("one side writes 42, the other reads %d", got)
	}
}

// A name that stands for something unfinished, or for a role not yet locked or
// already given up, would let this observer in.
func TestCreate_NamedOnlyWhenComplete(t *testing.T) {
	name, g := testenv.SegmentName(t), ring(t, 4096)
	var done atomic.Bool
	saw := make(chan error, 1)
	go func() {
		defer close(saw)
		for !done.Load() {
			s, err := Open(context.Background(), name, layout.Producer)
			switch {
			case err == nil:
				s.Leave(keep)
				saw <- errors.New("the role could be had")
				return
			case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrRoleTaken):
				saw <- err
				return
			}
		}
	}()
	for range 2000 {
		s, err := Create(name, g, layout.Producer)
		if err != nil {
			t.Error(err)
			break
		}
		if _, err := s.Leave(remove); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	if err := <-saw; err != nil {
		t.Error(err)
	}
}

// createChild makes segments and removes them until it is killed.
func createChild(args []string) error {
	g, err := layout.RingGeometry(1<<16, 0, uint64(os.Getpagesize()))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		s, err := Create(args[0], g, layout.Producer)
		if err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("creating")
		}
		if _, err := s.Leave(func() bool { return true }); err != nil {
			return err
		}
	}
}

func TestCreate_KilledAnytime_WholeOrNone(t *testing.T) {
	for range 20 {
		name := testenv.SegmentName(t)
		c := testenv.StartChild(t, "create", name)
		c.WantLine(t, "creating")
		c.Kill()
		s, err := Open(t.Context(), name, layout.Producer)
		if err == nil {
			leave(t, s, remove)
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
