package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/internal/flow"
	"sluice/internal/format"
	"sluice/pressure"
)

// maxNames is how many names a sentence has; the others are counted.
const maxNames = 4

// Process names a process of a group or a chain.
func Process(p flow.Process) string {
	bridge := ""
	if p.Bridge != "" {
		bridge = "bridge, "
	}
	if p.Other {
		return fmt.Sprintf("%sprocess %d of another pid namespace", bridge, p.PID)
	}
	if p.FarPID != 0 {
		return fmt.Sprintf("%spid %d and %d", bridge, p.PID, p.FarPID)
	}
	return fmt.Sprintf("%spid %d", bridge, p.PID)
}

// Names lists names: a, b and c; of many the first ones.
func Names(names []string) string {
	if n := len(names); n > maxNames {
		names = append(slices.Clone(names[:maxNames-1]), fmt.Sprintf("%d more", n-maxNames+1))
	}
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// HeldUp says who holds up the producer of a segment: a is blocked 90 % of the time, through b, by
// the consumer of c (pid 123), which is slower.
func HeldUp(h *flow.HeldUp) string {
	return fmt.Sprintf("%s is blocked %s of the time%s", h.Path[0], format.Percent(h.Blocked), by(h))
}

// by says what is at the end of a path.
func by(h *flow.HeldUp) string {
	last := h.Path[len(h.Path)-1]
	through := ""
	if n := len(h.Path); n > 2 {
		through = " through " + Names(h.Path[1:n-1])
	}
	switch h.Cause {
	case flow.CauseCycle:
		return fmt.Sprintf(": %s form a circle in which each waits for the next", Names(h.Path))
	case flow.CauseNoConsumer:
		return fmt.Sprintf("%s: %s has no consumer", through, last)
	}
	whose := " of " + last
	if len(h.Path) == 1 {
		whose = ""
	}
	if text := beyond(h); text != "" {
		return fmt.Sprintf("%s by the consumer%s (%s): %s", through, whose, Process(h.Consumer), text)
	}
	return fmt.Sprintf("%s by the consumer%s (%s), which %s", through, whose, Process(h.Consumer), state(h))
}

// beyond says what is wrong beyond the consumer at the end of a path, which is a bridge; ""
// where it is none, or has nothing to say.
func beyond(h *flow.HeldUp) string {
	if h.Bridge == nil {
		return ""
	}
	return bridgeCause(h.Bridge)
}

// state says what is wrong with the consumer at the end of a path.
func state(h *flow.HeldUp) string {
	switch h.Cause {
	case flow.CauseStopped:
		return "is stopped"
	case flow.CauseStalled:
		return fmt.Sprintf("has received nothing for %.0f s", h.NoProgressFor.Seconds())
	case flow.CauseUnconnected:
		return "is not connected"
	}
	return "is slower"
}

// AdviceElsewhere returns what to do about a producer that is held up through other segments; ""
// when the advice on its own segment is the right one.
func AdviceElsewhere(h *flow.HeldUp) string {
	if h == nil || len(h.Path) == 1 {
		return ""
	}
	last := h.Path[len(h.Path)-1]
	switch h.Cause {
	case flow.CauseCycle:
		return "let one of these processes produce without waiting, or break the circle"
	case flow.CauseSlower:
		if h.Bridge != nil {
			return fmt.Sprintf("%s: %s", last, Advice(h.Bridge))
		}
		return fmt.Sprintf("speed up the consumer of %s; more capacity only delays this", last)
	case flow.CauseNoConsumer:
		return fmt.Sprintf("start a consumer of %s", last)
	}
	return fmt.Sprintf("see to the consumer of %s: gauge stat %[1]s", last)
}

// HoldsUp says which producers a consumer holds up beside the one of its own segment; "" if there
// is none.
func HoldsUp(name string, p *flow.Place) string {
	others := slices.DeleteFunc(slices.Clone(p.HoldsUp), func(n string) bool { return n == name })
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s blocked through it", Names(others), are(len(others)))
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// Shares says what share of the messages of the interval each member of a group has, the largest
// first; "" when that is not known.
func Shares(g *flow.Group) string {
	if g.Busiest() == nil {
		return ""
	}
	members := slices.Clone(g.Members)
	slices.SortStableFunc(members, func(a, b flow.Member) int { return cmp.Compare(b.Messages, a.Messages) })
	shown := len(members)
	if shown > maxNames {
		shown = maxNames - 1
	}
	var parts []string
	rest := 1.0
	for _, m := range members[:shown] {
		parts = append(parts, m.Name+" "+format.Percent(m.Messages))
		rest -= m.Messages
	}
	if left := len(members) - shown; left > 0 {
		parts = append(parts, fmt.Sprintf("%d more %s", left, format.Percent(max(0, rest))))
	}
	return fmt.Sprintf("%s of the messages of %s", strings.Join(parts, ", "), format.Duration(g.Elapsed))
}

// Group says of a group of several segments what its process does, and who holds up whom: clauses
// separated by "; ".
func Group(g *flow.Group) string {
	clauses := fanIn
	if g.Kind == flow.FanOut {
		clauses = fanOut
	}
	all := clauses(g)
	if m := g.Alone(nearlyAll); m != nil {
		all = append(all, fmt.Sprintf("%s has %s of the messages", m.Name, nearly(m.Messages)))
	}
	return strings.Join(all, "; ")
}

// nearlyAll is the share from which on a member is said to have the messages of a group.
const nearlyAll = 0.9

// nearly is a share of at least nearlyAll in per cent, 100 % only if it is all.
func nearly(share float64) string {
	if share < 1 && share >= 0.995 {
		return "more than 99 %"
	}
	return format.Percent(share)
}

// members returns the names of the members for which is is true.
func members(g *flow.Group, is func(m *flow.Member) bool) (names []string) {
	for i := range g.Members {
		if is(&g.Members[i]) {
			names = append(names, g.Members[i].Name)
		}
	}
	return names
}

func heldUp(m *flow.Member) bool { return m.HeldUp }

func fanIn(g *flow.Group) (all []string) {
	waiting := members(g, heldUp)
	blocked := fmt.Sprintf("%d of %d producers %s blocked", len(waiting), len(g.Members), are(len(waiting)))
	if len(waiting) == len(g.Members) {
		blocked = fmt.Sprintf("all %d producers are blocked", len(waiting))
	}
	h := g.HeldUp
	switch {
	case h == nil && g.Stopped:
		return []string{"the consumer is stopped"}
	case h == nil:
		return notHeldUp(g)
	case h.Cause == flow.CauseCycle:
		return []string{blocked + by(h)}
	case len(h.Path) > 1:
		return []string{fmt.Sprintf("%s%s", blocked, by(h))}
	case h.Cause == flow.CauseSlower:
		return []string{"the consumer is slower than its producers: " + blocked}
	}
	return []string{fmt.Sprintf("the consumer %s: %s", state(h), blocked)}
}

// notHeldUp says of a group in which nobody is held up how much its sides wait.
func notHeldUp(g *flow.Group) []string {
	least, most := g.Members[0].ConsumerBlocked, &g.Members[0]
	for i := range g.Members {
		m := &g.Members[i]
		least = min(least, m.ConsumerBlocked)
		if m.ProducerBlocked > most.ProducerBlocked {
			most = m
		}
	}
	switch text := blockedAtTimes(most.Name, most.ProducerBlocked, most.ConsumerBlocked); {
	case text != "":
		return []string{text}
	case g.Kind == flow.FanIn && least >= pressure.Noticeable:
		return []string{fmt.Sprintf("the consumer waits for its producers %s of the time", format.Percent(least))}
	case g.Kind == flow.FanIn:
		return []string{"no producer is blocked much"}
	}
	return []string{"the producer is not blocked much"}
}

// blockedAtTimes says that a producer was blocked although its consumer is not the slower side; ""
// when it was not blocked much.
func blockedAtTimes(name string, producer, consumer float64) string {
	switch {
	case producer < pressure.Noticeable:
		return ""
	case consumer < pressure.Noticeable/2:
		return fmt.Sprintf("%s is blocked %s of the time", name, format.Percent(producer))
	}
	return fmt.Sprintf("%s is blocked %s of the time, but its consumer waits too, %s", name, format.Percent(producer), format.Percent(consumer))
}

func fanOut(g *flow.Group) (all []string) {
	h := g.HeldUp
	switch {
	case h == nil && g.Stopped:
		return []string{"the producer is stopped"}
	case h == nil:
		return notHeldUp(g)
	}
	held := members(g, heldUp)
	text := fmt.Sprintf("the producer is held up by %s", Names(held))
	if full := members(g, func(m *flow.Member) bool { return m.HeldUp && m.Full }); len(full) == len(held) {
		if len(full) == 1 {
			text += ": its queue is full"
		} else {
			text += ": their queues are full"
		}
	}
	all = append(all, text)
	if len(held) == 1 {
		switch {
		case h.Cause == flow.CauseCycle, len(h.Path) > 1:
			all = append(all, fmt.Sprintf("%s is blocked%s", held[0], by(h)))
		case h.Cause == flow.CauseNoConsumer:
			all = append(all, held[0]+" has no consumer")
		case h.Cause != flow.CauseSlower:
			all = append(all, "its consumer "+state(h))
		case beyond(h) != "":
			all = append(all, "bridge: "+beyond(h))
		}
	}
	if waiting := members(g, func(m *flow.Member) bool { return m.ConsumerBlocked >= pressure.Noticeable && !m.HeldUp }); len(waiting) == 1 {
		all = append(all, "the consumer of "+waiting[0]+" waits")
	} else if len(waiting) > 1 {
		all = append(all, "the consumers of "+Names(waiting)+" wait")
	}
	return all
}

// Members lists the segments of a group and its process, in the order that messages take.
func Members(g *flow.Group) string {
	names := list(members(g, func(*flow.Member) bool { return true }))
	if g.Kind == flow.FanOut {
		return Process(g.Process) + " -> " + names
	}
	return names + " -> " + Process(g.Process)
}

// Chain lists the segments and the processes of a chain, in the order that messages take: a -> pid
// 12 -> b -> pid 13 -> c; where it has branches, one part for each process.
func Chain(c *flow.Chain) string {
	var b strings.Builder
	var before []string
	for i, s := range c.Stages {
		switch {
		case i == 0:
			b.WriteString(list(s.From))
		case !slices.Equal(before, s.From):
			b.WriteString("; " + list(s.From))
		}
		fmt.Fprintf(&b, " -> %s -> %s", Process(s.Process), list(s.To))
		before = s.To
	}
	return b.String()
}

// ChainSays says who holds up whom in a chain, a sentence for each consumer that does.
func ChainSays(g *flow.Graph, c *flow.Chain) (all []string) {
	for _, h := range g.HeldUp(c) {
		all = append(all, HeldUp(h))
	}
	if all != nil {
		return all
	}
	name, most := "", &flow.Place{}
	for _, n := range c.Names() {
		if p := g.Of(n); p.ProducerBlocked > most.ProducerBlocked {
			name, most = n, p
		}
	}
	if text := blockedAtTimes(name, most.ProducerBlocked, most.ConsumerBlocked); text != "" {
		return []string{text}
	}
	return []string{"no producer in it is blocked much"}
}

// list lists names as Names does, without words between.
func list(names []string) string { return strings.Replace(Names(names), " and ", ", ", 1) }
