package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

func stoppedConsumer(s Segment) {
	s.Now.Consumer.Stopped = true
	s.Verdict.Kind, s.Verdict.Role = pressure.Stopped, layout.Consumer
}

func streamFull(s Segment) { s.Verdict.Cause = pressure.CauseBridgeFull }

func stalled(s Segment) {
	s.Verdict.Kind, s.Verdict.NoProgressFor = pressure.Stalled, 7*time.Second
}

// held says for each segment whose producer is held up by whom.
func held(g *Graph, segments []Segment) string {
	var all []string
	for _, s := range segments {
		if h := g.Of(s.Name).HeldUp; h != nil {
			all = append(all, fmt.Sprintf("%s: %s %d", strings.Join(h.Path, ">"), h.Cause, h.Consumer.PID))
		}
	}
	return strings.Join(all, ", ")
}

func TestHeldUp_LastOneThatIsNotBlocked(t *testing.T) {
	chain := func(change ...func(s []Segment)) []Segment {
		s := []Segment{ring("a", 1, 2).held(0.9), ring("b", 2, 3).held(0.95), ring("c", 3, 4).held(0.99)}
		for _, f := range change {
			f(s)
		}
		return s
	}
	for _, c := range []struct {
		name     string
		segments []Segment
		want     string
	}{
		{"nobody is blocked", []Segment{ring("a", 1, 2), ring("b", 2, 3)}, ""},
		{"blocked for less than is noticeable", []Segment{ring("a", 1, 2).held(0.09)}, ""},
		{"a pair", []Segment{ring("a", 1, 2).held(0.5)}, "a: slower 2"},
		{"the last of three is slow", chain(), "a>b>c: slower 4, b>c: slower 4, c: slower 4"},
		{"the middle one is slow", chain(func(s []Segment) { s[1], s[2] = ring("b", 2, 3), ring("c", 3, 4) }), "a: slower 2"},
		{"the second is slow, and the third not", chain(func(s []Segment) { s[2] = ring("c", 3, 4) }), "a>b: slower 3, b: slower 3"},
		{"the last is stopped", chain(func(s []Segment) { stoppedConsumer(s[2]) }), "a>b>c: stopped 4, b>c: stopped 4, c: stopped 4"},
		{"those before it have received nothing for long, as they are blocked", chain(func(s []Segment) { stalled(s[0]); stalled(s[1]); stoppedConsumer(s[2]) }),
			"a>b>c: stopped 4, b>c: stopped 4, c: stopped 4"},
		{"the last is stalled", chain(func(s []Segment) { stalled(s[2]) }), "a>b>c: stalled 4, b>c: stalled 4, c: stalled 4"},
		{"the last has received nothing for long, as it takes from another", append(chain(func(s []Segment) { stalled(s[2]) }), ring("x", 5, 4).passed(10, 10)),
			"a>b>c: slower 4, b>c: slower 4, c: slower 4"},
		{"the last is a bridge that produces too", chain(func(s []Segment) {
			bridgeOut(s[2])
			s[0] = ring("a", 4, 2).held(0.9).with(bridgeIn)
		}), "a>b>c: slower 4, b>c: slower 4, c: slower 4"},
		{"a bridge between two rings is no stage", []Segment{ring("a", 1, 9).held(0.9).with(bridgeOut), ring("b", 9, 2).held(0.9).with(bridgeIn)}, "a: slower 9, b: slower 2"},
		{"a bridge that passes on what it got", []Segment{ring("a", 9, 9).held(0.9).with(bridgeIn).with(bridgeOut)}, "a: slower 9"},
		{"two bridges: the stream is full", []Segment{ring("a", 1, 8).held(0.9).with(near).with(streamFull), ring("b", 9, 2).held(0.9).with(far)}, "a>b: slower 2, b: slower 2"},
		{"two bridges: something else is wrong", []Segment{ring("a", 1, 8).held(0.9).with(near), ring("b", 9, 2).held(0.9).with(far)}, "a: slower 8, b: slower 2"},
		{"two bridges: the far ring is not full", []Segment{ring("a", 1, 8).held(0.9).with(near).with(streamFull), ring("b", 9, 2).with(far)}, "a: slower 8"},
		{"the last has no consumer", chain(func(s []Segment) { s[2].Now.Consumer.Alive = false; s[2].Verdict.Kind = pressure.NoConsumer }),
			"a>b>c: no-consumer 0, b>c: no-consumer 0, c: no-consumer 0"},
		{"a stage is stopped while it was blocked", chain(func(s []Segment) {
			s[0].Now.Consumer.Stopped, s[1].Now.Producer.Stopped = true, true
			stoppedConsumer(s[0])
		}),
			"a: stopped 2, c: slower 4"},
		{"a stage was stopped after its output was looked at", chain(func(s []Segment) { stoppedConsumer(s[0]) }), "a: stopped 2, b>c: slower 4, c: slower 4"},
		{"a stage is stopped, and its own input is what that shows in first", chain(func(s []Segment) { stoppedConsumer(s[1]); s[2].Now.Producer.Stopped = true }), "a>b: stopped 3, b: stopped 3"},
		{"the producer is stopped, and not held up", []Segment{ring("a", 1, 2).held(0.9).with(func(s Segment) { s.Verdict.Kind, s.Verdict.Role = pressure.Stopped, layout.Producer })}, ""},
		{"the producer is dead", []Segment{ring("a", 0, 2).held(0.9)}, ""},
		{"the queue is full in bursts only", []Segment{ring("a", 1, 2).held(0.9), ring("b", 2, 3).held(0.3).with(func(s Segment) { s.Verdict.Kind = pressure.Balanced })}, "a: slower 2"},
		{"of two outputs the one in which it is blocked more", []Segment{ring("a", 1, 2).held(0.9), ring("b", 2, 3).held(0.2), ring("c", 2, 4).held(0.7)},
			"a>c: slower 4, b: slower 3, c: slower 4"},
		{"a diamond", []Segment{ring("a", 1, 2).held(0.9), ring("b", 2, 3), ring("c", 2, 4).held(0.8), ring("d", 3, 5), ring("e", 4, 5).held(0.8)},
			"a>c>e: slower 5, c>e: slower 5, e: slower 5"},
		{"a circle", []Segment{ring("a", 3, 1).held(1), ring("b", 1, 2).held(1), ring("c", 2, 3).held(1)}, "a>b>c: cycle 0, b>c>a: cycle 0, c>a>b: cycle 0"},
		{"a way into a circle", []Segment{ring("a", 9, 1).held(1), ring("b", 1, 2).held(1), ring("c", 2, 1).held(1)}, "a>b>c: cycle 0, b>c: cycle 0, c>b: cycle 0"},
		{"a process that waits for itself", []Segment{ring("a", 1, 1).held(1)}, "a: cycle 0"},
		{"through a process of an unknown namespace nobody sees", []Segment{ring("a", 1, 2).held(0.9).with(func(s Segment) { s.Now.Consumer.PIDNamespace = 0 }), ring("b", 2, 3).held(0.9)},
			"a: slower 2, b: slower 3"},
	} {
		g := New(c.segments)
		if got := held(g, c.segments); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHeldUp_HoldsUp(t *testing.T) {
	g := New([]Segment{ring("a", 1, 2).held(0.9), ring("b", 2, 3).held(0.9), ring("c", 3, 4).held(0.9), ring("d", 5, 6).held(0.9), ring("e", 7, 8)})
	for name, want := range map[string]string{"a": "", "b": "", "c": "a b c", "d": "d", "e": ""} {
		if got := strings.Join(g.Of(name).HoldsUp, " "); got != want {
			t.Errorf("%s holds up %q, want %q", name, got, want)
		}
	}
	if all := g.HeldUp(g.Chains[0]); len(all) != 1 || strings.Join(all[0].Path, " ") != "a b c" {
		t.Errorf("%+v", all)
	}
	if circle := New([]Segment{ring("a", 2, 1).held(1), ring("b", 1, 2).held(1)}); len(circle.HeldUp(circle.Chains[0])) != 1 || circle.Of("a").HoldsUp != nil {
		t.Errorf("%+v", circle.HeldUp(circle.Chains[0]))
	}
}

// Anybody may make segments that name each other's processes: the work is bounded.
func TestHeldUp_ManySegments_Quick(t *testing.T) {
	var long, dense []Segment
	for i := range 256 {
		long = append(long, ring(fmt.Sprint(i), i+1, i+2).held(1))
		dense = append(dense, ring(fmt.Sprint(i), i%2+1, (i+1)%2+1).held(1))
	}
	start := time.Now()
	if h := New(long).Of("0").HeldUp; len(h.Path) != 256 || h.Consumer.PID != 257 {
		t.Errorf("%+v", h)
	}
	if h := New(dense).Of("0").HeldUp; h.Cause != CauseCycle {
		t.Errorf("%+v", h)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	t.Logf("two graphs of 256 segments took %v", time.Since(start))
}
