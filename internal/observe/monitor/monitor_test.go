package monitor

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"sluice/internal/segments"
	"sluice/layout"
	"sluice/shm"
)

func name(t *testing.T) string {
	name := fmt.Sprintf("followtest.%d", os.Getpid())
	t.Cleanup(func() { os.Remove(shm.Path(name)) })
	return name
}

func create(t *testing.T, name string) *shm.Segment {
	t.Helper()
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	s, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remove() bool { return true }

// poll expects one pair, or none.
func look(t *testing.T, f *Monitor, want int) *Pair {
	t.Helper()
	pairs, err := f.Poll()
	if err != nil || len(pairs) != want {
		t.Fatalf("%d pairs, %v; want %d", len(pairs), err, want)
	}
	if want == 0 {
		return nil
	}
	return pairs[0]
}

func TestMonitor_SegmentCreatedToRemoved(t *testing.T) {
	name := name(t)
	f := New([]string{name}, 3)
	defer f.Close()
	look(t, f, 0)

	s := create(t, name)
	if p := look(t, f, 1); p.Err != nil || len(p.History) != 0 || !p.Now.Producer.Alive {
		t.Errorf("%+v", p)
	}
	s.Header().Producer.Count.Store(10)
	s.Header().Consumer.Count.Store(4)
	time.Sleep(time.Millisecond)
	p := look(t, f, 1)
	if p.Step.Consumed != 4 || p.Now.Depth() != 6 || len(p.History) != 1 || p.History[0].Depth != 6 || p.History[0].Throughput <= 0 {
		t.Errorf("%+v", p.History)
	}
	s.Header().Consumer.Count.Store(10)
	time.Sleep(time.Millisecond)
	if p = look(t, f, 1); p.Now.Deepest() != 6 { // the producer has not noted it, but it was seen
		t.Errorf("the deepest queue was %d", p.Now.Deepest())
	}
	for range 5 {
		time.Sleep(time.Millisecond)
		p = look(t, f, 1)
	}
	if len(p.History) != 3 || p.Step.Consumed != 0 {
		t.Errorf("%d points of history, want 3", len(p.History))
	}
	if _, err := s.Leave(remove); err != nil {
		t.Fatal(err)
	}
	look(t, f, 0)
}

// What a segment's last side did between the last look and its end is not lost on who
// wants to know.
func TestMonitor_SegmentRemoved(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		name := name(t)
		f := New([]string{name}, 10)
		defer f.Close()
		var ended []uint64
		f.Ended = func(p *Pair) { ended = append(ended, p.Now.Consumed) }
		s := create(t, name)
		look(t, f, 1)
		s.Header().Producer.Count.Store(300)
		s.Header().Consumer.Count.Store(300)
		if _, err := s.Leave(remove); err != nil {
			t.Fatal(err)
		}
		want := 0
		if replaced {
			s = create(t, name)
			defer s.Leave(remove)
			want = 1
		}
		look(t, f, want)
		look(t, f, want)
		if len(ended) != 1 || ended[0] != 300 {
			t.Errorf("replaced %v: consumed at the end: %v, want 300, once", replaced, ended)
		}
	}
}

// Another segment of the same name begins anew.
func TestMonitor_SegmentReplaced_NoHistory(t *testing.T) {
	name := name(t)
	f := New([]string{name}, 10)
	defer f.Close()
	s := create(t, name)
	s.Header().Producer.Count.Store(1000)
	look(t, f, 1)
	time.Sleep(time.Millisecond)
	look(t, f, 1)
	if _, err := s.Leave(remove); err != nil {
		t.Fatal(err)
	}
	s = create(t, name)
	defer s.Leave(remove)
	if p := look(t, f, 1); len(p.History) != 0 || p.Now.Produced != 0 {
		t.Errorf("%d points, %d produced", len(p.History), p.Now.Produced)
	}
}

func TestMonitor_UnreadableSegment_NamedAndRetried(t *testing.T) {
	name := name(t)
	f := New([]string{name}, 10)
	defer f.Close()
	if err := os.WriteFile(shm.Path(name), []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := look(t, f, 1); p.Name != name || !errors.Is(p.Err, layout.ErrNotSegment) {
		t.Errorf("%+v", p)
	}
	os.Remove(shm.Path(name))
	s := create(t, name)
	if p := look(t, f, 1); p.Err != nil {
		t.Error(p.Err)
	}
	if err := os.Truncate(shm.Path(name), 0); err != nil { // under the mapping
		t.Fatal(err)
	}
	if p := look(t, f, 1); !errors.Is(p.Err, shm.ErrTruncated) {
		t.Errorf("%v", p.Err)
	}
	s.Leave(remove)
}

// Of many segments as many are observed as without groups, and those that were asked for are among
// them.
func TestMonitor_Connect_ManySegments_Bounded(t *testing.T) {
	stem := name(t)
	const many = 300
	for i := range many {
		s := create(t, fmt.Sprintf("%s.%d", stem, i))
		defer s.Leave(remove)
		s.Header().ProducerStats.PID.Store(uint64(os.Getpid()))
		s.Header().ProducerStats.PIDNamespace.Store(1)
	}
	for _, c := range []struct {
		names []string
		want  int
	}{
		{[]string{stem + ".*"}, segments.Max},
		{[]string{stem + ".299"}, 1},
		{[]string{stem + ".29*"}, 11},
	} {
		f := New(c.names, 1)
		f.Connect = true
		pairs, err := f.Poll()
		if err != nil || len(pairs) != c.want || len(f.pairs) > segments.Max {
			t.Errorf("%q: %d shown of %d, %v; want %d", c.names, len(pairs), len(f.pairs), err, c.want)
		}
		for _, p := range pairs {
			// All have this process as their producer.
			if g := p.Place.FanOut; g == nil || len(g.Members) > segments.Max || len(g.Members) < c.want || g.Member(p.Name) == nil {
				t.Fatalf("%s: %+v", p.Name, g)
			}
		}
		f.Close()
	}
}
