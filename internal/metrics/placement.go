package metrics

import (
	"strings"

	"sluice/internal/flow"
	"sluice/internal/verdict"
)

// placement is where a segment stands among others: only an observer of all of them knows it.
var placement = []Metric{
	{Key: "fanIn.members", get: fanIn(members),
		Help: "The segments that the consumer takes from, this one included, separated by spaces; unknown without a live consumer, or where its process is not known."},
	{Key: "fanIn.count", Series: "sluice_fan_in_segments", get: fanIn(memberCount),
		Help: "How many segments the consumer takes from; more than 1 is a fan-in."},
	{Key: "fanIn.messageShare", Series: "sluice_fan_in_message_share_ratio", Unit: Ratio, get: fanIn(messageShare),
		Help: "Share of the messages that the consumer took in the interval, from all of its segments; unknown when it took none."},
	{Key: "fanIn.byteShare", Series: "sluice_fan_in_byte_share_ratio", Unit: Ratio, get: fanIn(byteShare),
		Help: "Likewise of the payload."},
	{Key: "fanOut.members", get: fanOut(members),
		Help: "The segments that the producer sends to, this one included, separated by spaces; unknown without a live producer, or where its process is not known."},
	{Key: "fanOut.count", Series: "sluice_fan_out_segments", get: fanOut(memberCount),
		Help: "How many segments the producer sends to; more than 1 is a fan-out."},
	{Key: "fanOut.messageShare", Series: "sluice_fan_out_message_share_ratio", Unit: Ratio, get: fanOut(messageShare),
		Help: "Share of the messages that the producer published in the interval, to all of its segments; unknown when it published none."},
	{Key: "fanOut.byteShare", Series: "sluice_fan_out_byte_share_ratio", Unit: Ratio, get: fanOut(byteShare),
		Help: "Likewise of the payload."},
	{Key: "chain", get: place(func(_ string, p *flow.Place) Value {
		if p.Chain == nil {
			return Text("")
		}
		return Text(verdict.Chain(p.Chain))
	}), Help: "The segments and the processes between them that the segment is connected to, in the order that messages take; empty when no process both consumes and produces."},
	{Key: "heldUpBy", get: place(func(_ string, p *flow.Place) Value {
		switch {
		case p.HeldUp == nil:
			return Text("")
		case p.HeldUp.Cause == flow.CauseCycle:
			return Value{}
		}
		return Text(p.HeldUp.Path[len(p.HeldUp.Path)-1])
	}), Help: "The segment whose consumer holds up the producer, its own or one further down the chain; empty when the producer is not held up, unknown when the chain is a circle."},
	{Key: "heldUpPath", get: place(func(_ string, p *flow.Place) Value {
		if p.HeldUp == nil {
			return Text("")
		}
		return Text(strings.Join(p.HeldUp.Path, " "))
	}), Help: "The segments in which a producer is blocked, from this one to heldUpBy, separated by spaces."},
	{Key: "heldUpCause", get: place(func(_ string, p *flow.Place) Value {
		if p.HeldUp == nil {
			return Text("")
		}
		return Text(string(p.HeldUp.Cause))
	}), Help: "What the consumer of heldUpBy does: slower, stopped, stalled, no-consumer, unconnected, or cycle (a circle of processes, each of which waits for the next)."},
	{Key: "holdsUpCount", Series: "sluice_holds_up_segments", get: place(func(_ string, p *flow.Place) Value { return Count(uint64(len(p.HoldsUp))) }),
		Help: "Segments whose producers the consumer of this one holds up, this one included, directly or through a chain."},
}

// place is a getter of what the place of a segment tells.
func place(get func(name string, p *flow.Place) Value) func(s *Sample) Value {
	return func(s *Sample) Value {
		if s.Place == nil {
			return Value{}
		}
		return get(s.Name, s.Place)
	}
}

func fanIn(get func(name string, g *flow.Group) Value) func(s *Sample) Value {
	return group(get, func(p *flow.Place) *flow.Group { return p.FanIn })
}

func fanOut(get func(name string, g *flow.Group) Value) func(s *Sample) Value {
	return group(get, func(p *flow.Place) *flow.Group { return p.FanOut })
}

func group(get func(name string, g *flow.Group) Value, of func(p *flow.Place) *flow.Group) func(s *Sample) Value {
	return place(func(name string, p *flow.Place) Value {
		if g := of(p); g != nil {
			return get(name, g)
		}
		return Value{}
	})
}

func members(_ string, g *flow.Group) Value {
	var names []string
	for i := range g.Members {
		names = append(names, g.Members[i].Name)
	}
	return Text(strings.Join(names, " "))
}

func memberCount(_ string, g *flow.Group) Value { return Count(uint64(len(g.Members))) }

func messageShare(name string, g *flow.Group) Value {
	if m := g.Member(name); m != nil && m.MessagesKnown {
		return Number(m.Messages)
	}
	return Value{}
}

func byteShare(name string, g *flow.Group) Value {
	if m := g.Member(name); m != nil && m.BytesKnown {
		return Number(m.Bytes)
	}
	return Value{}
}
