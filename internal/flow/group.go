package flow

import (
	"cmp"
	"slices"
	"time"

	"sluice/pressure"
)

// Kind is which side of its segments a group shares.
type Kind string

// The kinds.
const (
	FanIn  Kind = "fan-in"  // the segments have one consumer
	FanOut Kind = "fan-out" // the segments have one producer
)

// Group is the segments in which one process has the same role.
type Group struct {
	Kind    Kind
	Process Process
	Stopped bool // the process is stopped
	Members []Member
	Elapsed time.Duration // the interval that the shares are of, the longest of those of its members

	// HeldUp is that of the member whose producer was blocked most, nil when none was. Of a
	// fan-out it is what the process is blocked by.
	HeldUp *HeldUp
}

// Member is a segment of a group.
type Member struct {
	Name string
	// Messages and Bytes are its shares of what the process has consumed, or produced, in the
	// interval: from 0 to 1, and in sum 1. Each means nothing unless known: there were any.
	Messages, Bytes           float64
	MessagesKnown, BytesKnown bool

	HeldUp bool // its producer is held up
	Empty  bool // nothing is in its queue
	Full   bool // its queue is full, or nearly

	// ProducerBlocked and ConsumerBlocked are the shares of the interval that its live sides were
	// blocked, 0 for a dead one.
	ProducerBlocked, ConsumerBlocked float64
}

// nearFull is the fill from which on a queue counts as full, as in a verdict.
const nearFull = 0.9

// Several reports whether the group has more than one segment.
func (g *Group) Several() bool { return len(g.Members) > 1 }

// Member returns the member called name, nil if there is none.
func (g *Group) Member(name string) *Member {
	if i := slices.IndexFunc(g.Members, func(m Member) bool { return m.Name == name }); i >= 0 {
		return &g.Members[i]
	}
	return nil
}

// Alone returns the member that has at least that share of the messages because the others have
// none to offer, nil if there is no such member. A consumer that takes many at a time from each
// segment in turn may for a while take from one only: then the others are not empty.
func (g *Group) Alone(share float64) *Member {
	m := g.Busiest()
	if m == nil || m.Messages < share {
		return nil
	}
	if g.Kind == FanIn && slices.ContainsFunc(g.Members, func(o Member) bool { return o.Name != m.Name && !o.Empty }) {
		return nil
	}
	return m
}

// Busiest returns the member with the largest share of the messages, nil when shares are not known.
func (g *Group) Busiest() *Member {
	m := slices.MaxFunc(g.Members, func(a, b Member) int { return cmp.Compare(a.Messages, b.Messages) })
	if !m.MessagesKnown {
		return nil
	}
	return &m
}

// groups returns those of several segments. It notes all of them at their segments.
func (b *builder) groups() (all []*Group) {
	for i := range b.segments {
		for _, side := range []struct {
			kind Kind
			p    Process
			of   map[Process][]int
			at   func(*Place) **Group
		}{
			{FanIn, b.consumer[i], b.consumes, func(p *Place) **Group { return &p.FanIn }},
			{FanOut, b.producer[i], b.produces, func(p *Place) **Group { return &p.FanOut }},
		} {
			if side.p == (Process{}) || *side.at(&b.places[i]) != nil {
				continue
			}
			g := b.group(side.kind, side.p, side.of[side.p])
			for _, i := range side.of[side.p] {
				*side.at(&b.places[i]) = g
			}
			if g.Several() {
				all = append(all, g)
			}
		}
	}
	return all
}

func (b *builder) group(kind Kind, p Process, of []int) *Group {
	g := &Group{Kind: kind, Process: p}
	passed := func(i *pressure.Interval) (messages, bytes uint64) { return i.Consumed, i.ConsumedBytes }
	if kind == FanOut {
		passed = func(i *pressure.Interval) (messages, bytes uint64) { return i.Produced, i.ProducedBytes }
	}
	var messages, bytes float64 // not integers: a corrupt segment may have any number
	most := -1
	for _, i := range of {
		m, n := passed(b.segments[i].Interval)
		messages, bytes = messages+float64(m), bytes+float64(n)
		if b.places[i].HeldUp != nil && (most < 0 || b.places[i].HeldUp.Blocked > b.places[most].HeldUp.Blocked) {
			most = i
		}
	}
	if most >= 0 {
		g.HeldUp = b.places[most].HeldUp
	}
	for _, i := range of {
		s := &b.segments[i]
		m, n := passed(s.Interval)
		member := Member{
			Name: s.Name, MessagesKnown: messages > 0, BytesKnown: bytes > 0,
			HeldUp: b.places[i].HeldUp != nil,
			Empty:  s.Now.Depth() == 0,
			Full:   s.Now.Fill() >= nearFull,
		}
		member.ProducerBlocked, member.ConsumerBlocked = s.blocked()
		if messages > 0 {
			member.Messages = float64(m) / messages
		}
		if bytes > 0 {
			member.Bytes = float64(n) / bytes
		}
		g.Members = append(g.Members, member)
		g.Elapsed = max(g.Elapsed, s.Interval.Elapsed)
		side := &s.Now.Consumer
		if kind == FanOut {
			side = &s.Now.Producer
		}
		g.Stopped = g.Stopped || side.Stopped
	}
	return g
}
