package webui

import (
	"slices"

	"sluice/internal/flow"
	"sluice/internal/observe/monitor"
	"sluice/internal/verdict"
)

// group is a fan-in or a fan-out.
type group struct {
	Kind    string   `json:"kind"`
	Process string   `json:"process"`
	Members []member `json:"members"`
	Says    string   `json:"says"`
	Trouble bool     `json:"trouble"` // somebody in it is held up
}

// member is a segment of a group. Shares are from 0 to 1, null when they are not known.
type member struct {
	Name     string   `json:"name"`
	Messages *float64 `json:"messages"`
	Bytes    *float64 `json:"bytes"`
	HeldUp   bool     `json:"heldUp"`
}

// chain is the segments between stages.
type chain struct {
	Stages  []stage  `json:"stages"`
	Says    []string `json:"says"`
	Trouble bool     `json:"trouble"` // a producer in it is held up
}

type stage struct {
	From    []place `json:"from"`
	Process string  `json:"process"`
	To      []place `json:"to"`
}

// place is a segment in a chain.
type place struct {
	Name       string `json:"name"`
	HeldUp     bool   `json:"heldUp"`     // its producer is blocked
	Bottleneck bool   `json:"bottleneck"` // its consumer holds up its producer, and is not blocked itself
}

// shows returns whether one of the pairs has a name.
func shows(pairs []*monitor.Pair) func(name string) bool {
	names := map[string]bool{}
	for _, p := range pairs {
		names[p.Name] = true
	}
	return func(name string) bool { return names[name] }
}

// newGroups returns the groups that one of the pairs is in.
func newGroups(g *flow.Graph, pairs []*monitor.Pair) (all []group) {
	shown := shows(pairs)
	for _, of := range g.Groups {
		if !slices.ContainsFunc(of.Members, func(m flow.Member) bool { return shown(m.Name) }) {
			continue
		}
		out := group{Kind: string(of.Kind), Process: verdict.Process(of.Process), Says: verdict.Group(of), Trouble: of.HeldUp != nil || of.Stopped}
		for _, m := range of.Members {
			out.Members = append(out.Members, member{m.Name, known(m.Messages, m.MessagesKnown), known(m.Bytes, m.BytesKnown), m.HeldUp})
		}
		all = append(all, out)
	}
	return all
}

func known(share float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return new(round(share))
}

// newChains returns the chains that one of the pairs is in.
func newChains(g *flow.Graph, pairs []*monitor.Pair) (all []chain) {
	shown := shows(pairs)
	for _, of := range g.Chains {
		if !slices.ContainsFunc(of.Names(), shown) {
			continue
		}
		places := func(names []string) (all []place) {
			for _, name := range names {
				at := g.Of(name)
				all = append(all, place{name, at.HeldUp != nil, len(at.HoldsUp) > 0})
			}
			return all
		}
		out := chain{Says: verdict.ChainSays(g, of), Trouble: g.HeldUp(of) != nil}
		for _, s := range of.Stages {
			out.Stages = append(out.Stages, stage{places(s.From), verdict.Process(s.Process), places(s.To)})
		}
		all = append(all, out)
	}
	return all
}
