package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// here is the pid namespace of the processes that a test does not say otherwise of.
const here = 1

// ring is a segment whose sides are alive: processes with these numbers, 0 for a side that is dead.
func ring(name string, producer, consumer int) Segment {
	side := func(pid int) pressure.RoleStats {
		return pressure.RoleStats{Alive: pid != 0, PID: pid, PIDNamespace: here, Generation: 1, State: layout.StateRunning}
	}
	return Segment{
		Name: name,
		Now: &pressure.Snapshot{
			Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20}, Producer: side(producer), Consumer: side(consumer),
		},
		Interval: &pressure.Interval{Elapsed: time.Second},
		Verdict:  &pressure.Verdict{Kind: pressure.Balanced},
	}
}

// held is the ring with a producer that was blocked for that share, because of its consumer.
func (s Segment) held(share float64) Segment {
	s.Interval.ProducerBlocked, s.Verdict.Kind = share, pressure.ConsumerBound
	s.Now.QueueBytes = s.Now.Geometry.Capacity
	return s
}

func (s Segment) with(change func(s Segment)) Segment { change(s); return s }

func (s Segment) passed(messages, bytes uint64) Segment {
	s.Interval.Produced, s.Interval.Consumed = messages, messages
	s.Interval.ProducedBytes, s.Interval.ConsumedBytes = bytes, bytes
	return s
}

func bridgeOut(s Segment) { s.Now.Consumer.Bridge.State = pressure.BridgeRunning }

// near is the segment whose messages go to that which is far.
func near(s Segment) { bridgeOut(s); s.Now.Created = time.Unix(5, 5) }

func far(s Segment) { bridgeIn(s); s.Now.Producer.Bridge.Source = 5_000_000_005 }

func bridgeIn(s Segment) { s.Now.Producer.Bridge.State = pressure.BridgeRunning }

// groups are the groups of several, as text.
func groups(g *Graph) string {
	var all []string
	for _, of := range g.Groups {
		var names []string
		for _, m := range of.Members {
			names = append(names, m.Name)
		}
		all = append(all, fmt.Sprintf("%s %d: %s", of.Kind, of.Process.PID, strings.Join(names, " ")))
	}
	return strings.Join(all, "; ")
}

// chains are the chains, as text.
func chains(g *Graph) string {
	var all []string
	for _, c := range g.Chains {
		var stages []string
		for _, s := range c.Stages {
			stages = append(stages, fmt.Sprintf("%s>%d>%s", strings.Join(s.From, "+"), s.Process.PID, strings.Join(s.To, "+")))
		}
		all = append(all, strings.Join(stages, " "))
	}
	return strings.Join(all, "; ")
}

func TestGraph_SegmentsOfOneProcess(t *testing.T) {
	elsewhere := func(side func(s Segment) *pressure.RoleStats, namespace uint64) func(s Segment) {
		return func(s Segment) { side(s).PIDNamespace = namespace }
	}
	consumer := func(s Segment) *pressure.RoleStats { return &s.Now.Consumer }
	producer := func(s Segment) *pressure.RoleStats { return &s.Now.Producer }
	for _, c := range []struct {
		name           string
		segments       []Segment
		groups, chains string
	}{
		{"none", nil, "", ""},
		{"pairs", []Segment{ring("a", 1, 2), ring("b", 3, 4)}, "", ""},
		{"a process that sends to itself", []Segment{ring("a", 1, 1)}, "", ""},
		{"fan-in", []Segment{ring("a", 1, 9), ring("b", 2, 9), ring("x", 7, 8), ring("c", 3, 9)}, "fan-in 9: a b c", ""},
		{"fan-out", []Segment{ring("a", 9, 1), ring("b", 9, 2), ring("c", 9, 3)}, "fan-out 9: a b c", ""},
		{"the other sides are dead", []Segment{ring("a", 0, 9), ring("b", 0, 9)}, "fan-in 9: a b", ""},
		{"dead processes of one number", []Segment{ring("a", 0, 0), ring("b", 0, 0)}, "", ""},
		{"a fan-in whose consumer has left one", []Segment{ring("a", 1, 9), ring("b", 2, 0).with(func(s Segment) { s.Now.Consumer.PID = 9 })}, "", ""},
		{"one pair between two processes, twice", []Segment{ring("a", 1, 2), ring("b", 1, 2)}, "fan-in 2: a b; fan-out 1: a b", ""},
		{"there and back", []Segment{ring("a", 1, 2), ring("b", 2, 1)}, "", "a>2>b b>1>a"},
		{"a chain", []Segment{ring("a", 1, 2), ring("b", 2, 3), ring("c", 3, 4)}, "", "a>2>b b>3>c"},
		{"a chain in another order", []Segment{ring("a", 3, 4), ring("b", 1, 2), ring("c", 2, 3)}, "", "b>2>c c>3>a"},
		{"two chains", []Segment{ring("a", 1, 2), ring("b", 2, 3), ring("c", 4, 5), ring("d", 5, 6)}, "", "a>2>b; c>5>d"},
		{"a diamond", []Segment{ring("a", 1, 2), ring("b", 2, 3), ring("c", 2, 4), ring("d", 3, 5), ring("e", 4, 5), ring("f", 5, 6)},
			"fan-out 2: b c; fan-in 5: d e", "a>2>b+c b>3>d c>4>e d+e>5>f"},
		{"a circle of three", []Segment{ring("a", 3, 1), ring("b", 1, 2), ring("c", 2, 3)}, "", "a>1>b b>2>c c>3>a"},
		{"a circle with a way in and a way out", []Segment{ring("a", 9, 1), ring("b", 1, 2), ring("c", 2, 1), ring("d", 2, 8)},
			"fan-in 1: a c; fan-out 2: c d", "a+c>1>b b>2>c+d"},
		{"one number in two namespaces", []Segment{ring("a", 1, 9), ring("b", 2, 9).with(elsewhere(consumer, 2))}, "", ""},
		{"one number in another namespace", []Segment{ring("a", 1, 9).with(elsewhere(consumer, 2)), ring("b", 2, 9).with(elsewhere(consumer, 2))}, "fan-in 9: a b", ""},
		{"unknown namespaces", []Segment{ring("a", 1, 9).with(elsewhere(consumer, 0)), ring("b", 2, 9).with(elsewhere(consumer, 0))}, "", ""},
		{"a stage with an unknown namespace on one side", []Segment{ring("a", 1, 2), ring("b", 2, 3).with(elsewhere(producer, 0))}, "", ""},
		{"pid 0", []Segment{ring("a", 1, 9).with(func(s Segment) { s.Now.Consumer.PID = 0 }), ring("b", 2, 9).with(func(s Segment) { s.Now.Consumer.PID = 0 })}, "", ""},
		{"a bridge of several, out", []Segment{ring("a", 1, 9).with(bridgeOut), ring("b", 2, 9).with(bridgeOut)}, "", ""},
		{"a bridge of several, in", []Segment{ring("a", 9, 1).with(bridgeIn), ring("b", 9, 2).with(bridgeIn)}, "", ""},
		{"a bridge in both directions is no stage", []Segment{ring("a", 1, 9).with(bridgeOut), ring("b", 9, 2).with(bridgeIn)}, "", ""},
		{"a bridge that follows a stage", []Segment{ring("a", 1, 2), ring("b", 2, 9).with(bridgeOut)}, "", "a>2>b"},
		{"a stage that is a bridge too", []Segment{ring("a", 1, 2), ring("b", 2, 2).with(bridgeOut)}, "", "a>2>b"},
		{"a stage between two bridges of one process", []Segment{ring("a", 9, 2).with(bridgeIn), ring("b", 2, 9).with(bridgeOut)}, "", "a>2>b"},
		{"a bridge that passes on what it got", []Segment{ring("a", 9, 9).with(bridgeIn).with(bridgeOut)}, "", ""},
		{"two bridges, between which messages go", []Segment{ring("a", 1, 8).with(near), ring("b", 9, 2).with(far)}, "", "a>8>b"},
		{"one process that is both", []Segment{ring("a", 1, 9).with(near), ring("b", 9, 2).with(far)}, "", "a>9>b"},
		{"in a chain", []Segment{ring("c", 2, 3), ring("b", 9, 2).with(far), ring("a", 1, 8).with(near)}, "", "a>8>b b>2>c"},
		{"two that say that they are filled from one", []Segment{ring("a", 1, 8).with(near), ring("b", 9, 2).with(far), ring("c", 9, 3).with(far)}, "", "a>8>b"},
		{"the near bridge is dead", []Segment{ring("a", 1, 0).with(near), ring("b", 9, 2).with(far)}, "", ""},
		{"the far bridge is dead", []Segment{ring("a", 1, 8).with(near), ring("b", 0, 2).with(far)}, "", ""},
		{"a bridge that says that it fills what it empties", []Segment{ring("a", 9, 9).with(near).with(far)}, "", ""},
		{"not known to be alive", []Segment{ring("a", 1, 9).with(func(s Segment) { s.Now.Consumer.AliveUnknown = true }), ring("b", 2, 9)}, "", ""},
	} {
		g := New(c.segments)
		if groups(g) != c.groups || chains(g) != c.chains {
			t.Errorf("%s: groups %q, chains %q; want %q, %q", c.name, groups(g), chains(g), c.groups, c.chains)
		}
		for _, s := range c.segments {
			if g.Of(s.Name) == nil {
				t.Errorf("%s: %s is not in it", c.name, s.Name)
			}
		}
	}
	if New(nil).Of("a") != nil {
		t.Error("a segment that is not there has a place")
	}
}

func TestGraph_Shares(t *testing.T) {
	g := New([]Segment{ring("a", 1, 9).passed(300, 1000), ring("b", 2, 9).passed(100, 3000), ring("c", 3, 9), ring("d", 4, 8)})
	for name, want := range map[string]string{"a": "0.75 0.25", "b": "0.25 0.75", "c": "0.00 0.00"} {
		m := g.Of(name).FanIn.Member(name)
		if got := fmt.Sprintf("%.2f %.2f", m.Messages, m.Bytes); got != want || !m.MessagesKnown || !m.BytesKnown {
			t.Errorf("%s: %s, %+v", name, got, m)
		}
	}
	if b := g.Of("c").FanIn.Busiest(); b.Name != "a" {
		t.Errorf("%+v", b)
	}
	for _, idle := range []*Group{g.Of("d").FanIn, g.Of("d").FanOut} {
		if m := idle.Member("d"); m.MessagesKnown || m.BytesKnown || idle.Busiest() != nil || idle.Several() {
			t.Errorf("%+v", idle)
		}
	}
	// A fan-in shares what is consumed, a fan-out what is produced.
	produced := func(messages, bytes uint64) func(s Segment) {
		return func(s Segment) { s.Interval.Produced, s.Interval.ProducedBytes = messages, bytes }
	}
	both := New([]Segment{ring("a", 1, 2).passed(10, 10).with(produced(30, 90)), ring("b", 1, 2).passed(30, 90).with(produced(10, 10))})
	if in, out := both.Of("a").FanIn.Member("a"), both.Of("a").FanOut.Member("a"); in.Messages != 0.25 || in.Bytes != 0.1 || out.Messages != 0.75 || out.Bytes != 0.9 {
		t.Errorf("fan-in %+v, fan-out %+v", in, out)
	}
	empty := New([]Segment{ring("a", 9, 1).passed(1, 0), ring("b", 9, 2).passed(3, 0)}).Of("b").FanOut.Member("b")
	if empty.Messages != 0.75 || !empty.MessagesKnown || empty.BytesKnown {
		t.Errorf("%+v", empty)
	}
	hostile := ^uint64(0)
	for _, m := range New([]Segment{ring("a", 1, 9).passed(hostile, hostile), ring("b", 2, 9).passed(hostile, hostile)}).Groups[0].Members {
		if m.Messages != 0.5 || m.Bytes != 0.5 {
			t.Errorf("%+v", m)
		}
	}
}
