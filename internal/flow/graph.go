// Package flow connects segments by the processes in them: a process that consumes from several is
// a fan-in, one that produces into several a fan-out, and one that does both is a stage of a chain.
// Nothing in a segment says so; it follows from who holds the roles. From that, and from which
// producers were blocked, follows who holds up whom.
//
// It is data, as in package pressure; package verdict puts it into words.
package flow

import (
	"sluice/layout"
	"sluice/pressure"
)

// Segment is what New has to know of a segment.
type Segment struct {
	Name     string
	Now      *pressure.Snapshot
	Interval *pressure.Interval // before Now
	Verdict  *pressure.Verdict  // on that interval
}

// blocked returns the shares of the interval that the live sides were blocked.
func (s *Segment) blocked() (producer, consumer float64) {
	if s.Now.Producer.Alive {
		producer = s.Interval.ProducerBlocked
	}
	if s.Now.Consumer.Alive {
		consumer = s.Interval.ConsumerBlocked
	}
	return producer, consumer
}

// Process is one that holds a role. The same number in two pid namespaces is of two processes. The
// zero value is a process that is not known.
type Process struct {
	PID       int
	Namespace uint64
	Other     bool // Namespace is not that of the observer

	// Bridge says of which segment, and in which direction, it is the bridge; "" = it is none.
	// A process may be that of many segments: each of them is by itself, and counts as another
	// process.
	Bridge string
	// FarPID is the process of the other bridge where the segments of both are here: then the two
	// count as one, which consumes from the near segment and produces into the far one. It is 0
	// where it is the same process.
	FarPID int
}

// holder returns the live process that holds a role, and the zero value where that is not certain:
// a number of an unknown namespace may be any process.
func holder(s *Segment, r layout.Role) Process {
	side := s.side(r)
	if !side.Alive || side.AliveUnknown || side.PID <= 0 || side.PIDNamespace == 0 {
		return Process{}
	}
	return processOf(s, r)
}

// processOf returns the process that a role names.
func processOf(s *Segment, r layout.Role) Process {
	side := s.side(r)
	p := Process{PID: side.PID, Namespace: side.PIDNamespace, Other: side.OtherPIDNamespace}
	switch {
	case !side.Bridge.Present():
	case r == layout.Producer:
		p.Bridge = "into " + s.Name
	default:
		p.Bridge = "out of " + s.Name
	}
	return p
}

func (s *Segment) side(r layout.Role) *pressure.RoleStats {
	if r == layout.Producer {
		return &s.Now.Producer
	}
	return &s.Now.Consumer
}

// joinBridges makes one process of two live bridges where one empties a segment and the other fills
// another one with the messages of it.
func (b *builder) joinBridges() {
	near := map[uint64]int{} // by the time of its creation, which is its identity
	for i := len(b.segments) - 1; i >= 0; i-- {
		if b.consumer[i].Bridge != "" {
			near[uint64(b.segments[i].Now.Created.UnixNano())] = i
		}
	}
	for far := range b.segments {
		source := b.segments[far].Now.Producer.Bridge.Source
		i, ok := near[source]
		if b.producer[far].Bridge == "" || source == 0 || !ok || i == far {
			continue
		}
		out, in := &b.consumer[i], &b.producer[far]
		if in.PID != out.PID && in.Namespace == out.Namespace {
			out.FarPID = in.PID
		}
		*in = *out
		delete(near, source) // one far segment only
	}
}

// Place is where a segment stands among the others.
type Place struct {
	FanIn  *Group  // of its consumer, also if that has no other segment; nil when it is not known
	FanOut *Group  // of its producer, likewise
	Chain  *Chain  // that it is a part of; nil when there is none
	HeldUp *HeldUp // who holds up its producer; nil when nobody does

	// ProducerBlocked and ConsumerBlocked are as those of a Member.
	ProducerBlocked, ConsumerBlocked float64

	// HoldsUp are the segments whose producers its consumer holds up, its own included.
	HoldsUp []string
}

// Graph is how segments are connected. It is not to be changed, keeps nothing of what it was made
// from, and may be used by any number of goroutines.
type Graph struct {
	Groups []*Group // of several segments, in the order of their first ones
	Chains []*Chain // likewise

	places map[string]*Place
}

// Of returns the place of the segment called name, nil when it is not in the graph.
func (g *Graph) Of(name string) *Place { return g.places[name] }

// New returns the graph of the segments, whose names differ. Lists of names in it have their order.
func New(segments []Segment) *Graph {
	b := builder{
		segments: segments, places: make([]Place, len(segments)), mostBlocked: map[Process]int{},
		consumes: map[Process][]int{}, produces: map[Process][]int{},
	}
	for i := range segments {
		b.consumer = append(b.consumer, holder(&segments[i], layout.Consumer))
		b.producer = append(b.producer, holder(&segments[i], layout.Producer))
	}
	b.joinBridges()
	for i := range segments {
		b.add(i)
		b.places[i].ProducerBlocked, b.places[i].ConsumerBlocked = segments[i].blocked()
	}
	for i := range segments {
		if h := b.heldUp(i); h != nil {
			b.places[i].HeldUp = h
			if h.Cause != CauseCycle {
				last := &b.places[b.last(i)]
				last.HoldsUp = append(last.HoldsUp, segments[i].Name)
			}
		}
	}
	g := &Graph{places: map[string]*Place{}}
	g.Groups = b.groups()
	g.Chains = b.chains()
	for i := range segments {
		g.places[segments[i].Name] = &b.places[i]
	}
	return g
}

// builder makes a Graph. Segments are indices of the slice given to New.
type builder struct {
	segments           []Segment
	places             []Place
	consumer, producer []Process         // by segment
	consumes, produces map[Process][]int // in the order of the segments
	mostBlocked        map[Process]int   // of what it produces, the segment in which it was blocked most
}

// add adds what is known of a segment, whose processes were added.
func (b *builder) add(i int) {
	s, c, p := &b.segments[i], b.consumer[i], b.producer[i]
	if c != (Process{}) {
		b.consumes[c] = append(b.consumes[c], i)
	}
	if p == (Process{}) {
		return
	}
	b.produces[p] = append(b.produces[p], i)
	if s.cause() == "" {
		return
	}
	if most, ok := b.mostBlocked[p]; !ok || s.Interval.ProducerBlocked > b.segments[most].Interval.ProducerBlocked {
		b.mostBlocked[p] = i
	}
}

func (b *builder) names(of []int) (names []string) {
	for _, i := range of {
		names = append(names, b.segments[i].Name)
	}
	return names
}
