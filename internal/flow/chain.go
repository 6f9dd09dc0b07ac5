package flow

import "slices"

// Chain is several segments that stages connect.
type Chain struct {
	Stages []Stage // in the order that messages take
}

// Names returns the segments of the chain, each once, in the order that messages take.
func (c *Chain) Names() (names []string) {
	seen := map[string]bool{}
	for _, s := range c.Stages {
		for _, name := range slices.Concat(s.From, s.To) {
			if !seen[name] {
				seen[name], names = true, append(names, name)
			}
		}
	}
	return names
}

// HeldUp returns who holds up the producers of a chain: of those that one consumer holds up, the
// longest path; of a cycle the first.
func (g *Graph) HeldUp(c *Chain) (all []*HeldUp) {
	longest := map[string]int{}
	for _, name := range c.Names() {
		h := g.Of(name).HeldUp
		if h == nil {
			continue
		}
		last := ""
		if h.Cause != CauseCycle {
			last = h.Path[len(h.Path)-1]
		}
		at, ok := longest[last]
		switch {
		case !ok:
			longest[last], all = len(all), append(all, h)
		case h.Cause != CauseCycle && len(h.Path) > len(all[at].Path):
			all[at] = h
		}
	}
	return all
}

// Stage is a process that consumes from some segments and produces into others.
type Stage struct {
	Process  Process
	From, To []string // never empty
}

// chains returns the chains, and notes them at their segments.
func (b *builder) chains() (all []*Chain) {
	taken := make([]bool, len(b.segments)) // the consumer is a stage of a chain that was found
	for i := range b.segments {
		if taken[i] || !b.isStage(b.consumer[i]) {
			continue
		}
		stages := b.connected(b.consumer[i], taken)
		c := &Chain{}
		for _, p := range b.inOrder(stages) {
			c.Stages = append(c.Stages, Stage{p, b.names(b.consumes[p]), b.names(b.produces[p])})
			for _, i := range slices.Concat(b.consumes[p], b.produces[p]) {
				b.places[i].Chain = c
			}
		}
		all = append(all, c)
	}
	return all
}

// isStage reports whether a process consumes from one segment and produces into another.
func (b *builder) isStage(p Process) bool {
	from, to := b.consumes[p], b.produces[p]
	return len(from) > 0 && len(to) > 0 && (len(from) > 1 || len(to) > 1 || from[0] != to[0])
}

// connected returns the stages that share segments with the stage first, directly or by others, in
// the order of the segments that they consume from. It marks these segments.
func (b *builder) connected(first Process, taken []bool) []Process {
	found, seen := []Process{first}, map[Process]bool{first: true}
	for n := 0; n < len(found); n++ {
		for _, i := range slices.Concat(b.consumes[found[n]], b.produces[found[n]]) {
			for _, p := range []Process{b.consumer[i], b.producer[i]} {
				if !seen[p] && b.isStage(p) {
					seen[p], found = true, append(found, p)
				}
			}
		}
	}
	for _, p := range found {
		for _, i := range b.consumes[p] {
			taken[i] = true
		}
	}
	slices.SortFunc(found, func(p, q Process) int { return b.consumes[p][0] - b.consumes[q][0] })
	return found
}

// inOrder returns the stages with each after those that it consumes from. Where they are a cycle,
// the first of the remaining ones is next.
func (b *builder) inOrder(stages []Process) (ordered []Process) {
	done := map[Process]bool{}
	ready := func(p Process) bool {
		return !slices.ContainsFunc(b.consumes[p], func(i int) bool {
			from := b.producer[i]
			return from != p && b.isStage(from) && !done[from]
		})
	}
	for len(stages) > 0 {
		at := max(0, slices.IndexFunc(stages, ready))
		done[stages[at]] = true
		ordered = append(ordered, stages[at])
		stages = slices.Delete(stages, at, at+1)
	}
	return ordered
}
