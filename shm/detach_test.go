package shm

import (
	"bytes"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// leaveDetached releases the role of a detached segment, and its memory.
func leaveDetached(t *testing.T, s *Segment) {
	t.Helper()
	leave(t, s, keep)
	if err := s.Unmap(); err != nil {
		t.Error(err)
	}
}

func contents(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A goroutine stores to the header and to both halves of the data all the time. Whatever
// it stores after Detach stays with it, and the file keeps its bytes.
func TestDetach_StoresDoNotReachFile(t *testing.T) {
	const swaps = 150
	for range swaps {
		name := testenv.SegmentName(t)
		s := newSegment(t, name)
		h, data := s.Header(), s.Data()
		places := []*layout.Uint64{&h.Producer.Index, &h.ProducerStats.State, &h.Consumer.Index}
		half := len(data) / 2
		var stores atomic.Uint64
		var stop atomic.Bool
		done := make(chan error, 1)
		go func() {
			done <- Guard(func() error {
				for n := uint64(1); !stop.Load(); n++ {
					for i, p := range places {
						p.Store(n)
						at := half/2 + i*4096
						data[at], data[at+half] = byte(n), byte(n)
						if p.Load() != n || data[at+half] != byte(n) {
							return errors.New("what was stored last is not there")
						}
					}
					stores.Store(n)
				}
				return nil
			})
		}()
		for stores.Load() < 10 {
		}
		if err := s.Detach(); err != nil {
			t.Fatal(err)
		}
		before, begun := contents(t, name), stores.Load()
		for stores.Load() < begun+300 { // so that each place has held another value, in every byte
		}
		after := contents(t, name)
		stop.Store(true)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, after) {
			t.Fatal("a store has reached the file")
		}
		leaveDetached(t, s)
	}
}

func TestDetach_SuccessorIsAlone(t *testing.T) {
	name := testenv.SegmentName(t)
	s := newSegment(t, name)
	old, data := s.Header(), s.Data()
	old.Producer.Count.Store(7)
	if err := s.Detach(); err != nil {
		t.Fatal(err)
	}
	// What the one who leaves has yet to say goes through Header.
	s.Header().ProducerStats.State.Store(uint64(layout.StateClosed))
	leave(t, s, keep)
	next := join(t, name, layout.Producer)
	if h := next.Header(); h.Producer.Count.Load() != 7 || h.ProducerStats.State.Load() != uint64(layout.StateClosed) {
		t.Errorf("count %d, state %d", h.Producer.Count.Load(), h.ProducerStats.State.Load())
	}
	old.Producer.Count.Store(99)
	data[0] = 99
	if next.Header().Producer.Count.Load() != 7 || next.Data()[0] != 0 {
		t.Error("a store of the closed side has reached it")
	}
	if s.Data() != nil {
		t.Error("the closed side still has data")
	}
	if err := s.Unmap(); err != nil {
		t.Error(err)
	}
	if err := s.Unmap(); err != nil {
		t.Errorf("once more: %v", err)
	}
}

func TestDetach_KeepsContent(t *testing.T) {
	for what, advice := range advices {
		t.Run(what, func(t *testing.T) {
			populateBy(t, advice)
			name := testenv.SegmentName(t)
			s := newSegment(t, name)
			half := len(s.Data()) / 2
			wrapped := s.Data()[half-100 : half+100] // on two pages, the second through the mirror
			copy(wrapped, bytes.Repeat([]byte("kept"), 50))
			want := bytes.Clone(wrapped)
			if err := s.Detach(wrapped, nil); err != nil {
				t.Fatal(err)
			}
			leave(t, s, keep)
			next := join(t, name, layout.Producer)
			clear(next.Data()[:half])
			if !bytes.Equal(wrapped, want) {
				t.Errorf("%q", wrapped)
			}
			if err := s.Unmap(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDetach_TruncatedSegment_NoFault(t *testing.T) {
	for what, advice := range advices {
		t.Run(what, func(t *testing.T) {
			populateBy(t, advice)
			name := testenv.SegmentName(t)
			s := newSegment(t, name)
			kept := s.Data()[:4096]
			if err := os.Truncate(Path(name), 0); err != nil {
				t.Fatal(err)
			}
			if err := s.Detach(kept); err != nil {
				t.Fatal(err)
			}
			leaveDetached(t, s)
		})
	}
}

func TestDetach_Transfer(t *testing.T) {
	name := testenv.SegmentName(t)
	s, err := Create(name, layout.Geometry{Mode: layout.ModeTransfer}, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	old := s.Header()
	if err := s.Detach(); err != nil {
		t.Fatal(err)
	}
	old.Producer.Count.Store(5)
	if got := s.Header().Producer.Count.Load(); got != 0 {
		t.Errorf("count %d in the file", got)
	}
	leaveDetached(t, s)
}

// Once: by the second time others may have been given the addresses. The user of a side that
// was closed may show that it has no slice any more, and later be no longer reachable.
func TestDetach_OnceOnly(t *testing.T) {
	s, err := Create(testenv.SegmentName(t), layout.Geometry{Mode: layout.ModeTransfer}, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Detach(); err != nil || len(s.detached) != 1 {
			t.Fatalf("%d parts are private, %v", len(s.detached), err)
		}
	}
	private := s.detached[0]
	s.Header().Producer.Count.Store(5)
	if err := s.Detach(); err != nil || &private[0] != &s.detached[0][0] || s.Header().Producer.Count.Load() != 5 {
		t.Errorf("the second time changes something, %v", err)
	}
	if _, err := s.Leave(func() bool { return true }); err != nil {
		t.Error(err)
	}
	if err := s.Unmap(); err != nil || len(s.detached) != 0 {
		t.Errorf("%d parts are left to unmap, %v", len(s.detached), err)
	}
	if err := s.Unmap(); err != nil {
		t.Errorf("the second time: %v", err)
	}
}
