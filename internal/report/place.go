package report

import (
	"fmt"
	"slices"

	"sluice/internal/flow"
	"sluice/internal/verdict"
	"sluice/pressure"
)

// AdviceAt returns what to do about the verdict on a segment, given its place, which may be nil:
// where its consumer is itself held up, nothing helps but what helps there.
func AdviceAt(p *flow.Place, v *pressure.Verdict) string {
	if p != nil {
		if elsewhere := verdict.AdviceElsewhere(p.HeldUp); elsewhere != "" {
			return elsewhere
		}
	}
	return verdict.Advice(v)
}

// PlaceRow is a line about the place of a segment among others. One with an empty name goes on with
// what the line before is about.
type PlaceRow struct{ Name, Text string }

// PlaceRows returns what there is to say of the place of the segment called name: nothing where it
// shares no process with others, and of who holds up its producer only what the verdict on it does
// not say.
func PlaceRows(name string, p *flow.Place) (rows []PlaceRow) {
	if p == nil {
		return nil
	}
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, PlaceRow{name, text})
		}
	}
	for _, g := range []*flow.Group{p.FanIn, p.FanOut} {
		if g == nil || !g.Several() {
			continue
		}
		add(string(g.Kind), GroupHead(g))
		add("", verdict.Shares(g))
		add("", verdict.Group(g))
	}
	if p.Chain != nil {
		add("chain", verdict.Chain(p.Chain))
	}
	if p.HeldUp != nil && len(p.HeldUp.Path) > 1 {
		add("held up", verdict.HeldUp(p.HeldUp))
	}
	add("holds up", verdict.HoldsUp(name, p))
	return rows
}

// GroupHead says which process a group is of, and how many segments it has.
func GroupHead(g *flow.Group) string {
	if g.Kind == flow.FanOut {
		return fmt.Sprintf("%s produces into %d segments", verdict.Process(g.Process), len(g.Members))
	}
	return fmt.Sprintf("%s consumes from %d segments", verdict.Process(g.Process), len(g.Members))
}

func placeRows(row func(name, text string, args ...any), name string, p *flow.Place) {
	for _, r := range PlaceRows(name, p) {
		row(r.Name, "%s", r.Text)
	}
}

// Connection is a group or a chain, for a list of all of them.
type Connection struct {
	Kind string   // fan-in, fan-out, chain
	What string   // the segments and processes in it
	Says []string // shares, who holds up whom
}

// Connections returns the groups of several segments and the chains in which one of the segments is
// that shown returns true for.
func Connections(g *flow.Graph, shown func(name string) bool) (all []Connection) {
	for _, group := range g.Groups {
		if !slices.ContainsFunc(group.Members, func(m flow.Member) bool { return shown(m.Name) }) {
			continue
		}
		c := Connection{Kind: string(group.Kind), What: verdict.Members(group)}
		if shares := verdict.Shares(group); shares != "" {
			c.Says = append(c.Says, shares)
		}
		all = append(all, Connection{c.Kind, c.What, append(c.Says, verdict.Group(group))})
	}
	for _, chain := range g.Chains {
		if !slices.ContainsFunc(chain.Names(), shown) {
			continue
		}
		all = append(all, Connection{"chain", verdict.Chain(chain), verdict.ChainSays(g, chain)})
	}
	return all
}
