package monitor

import (
	"slices"
	"time"

	"sluice/pressure"
)

// Severity is how much a verdict asks for attention.
type Severity int

// The severities.
const (
	Calm Severity = iota // nothing moves, and nothing has to
	Good                 // messages move
	Warn                 // one side holds the other back
	Bad                  // messages wait for somebody who has to do something
)

// String returns the severity in a word, which the page's style sheet knows.
func (s Severity) String() string {
	switch s {
	case Calm:
		return "calm"
	case Good:
		return "good"
	case Warn:
		return "warn"
	}
	return "bad"
}

// Severity returns how much the pair's verdict asks for attention. Where neither a
// producer nor a message waits for a consumer, nobody needs one.
func (p *Pair) Severity() Severity {
	switch p.Verdict.Kind {
	case pressure.NoConsumer:
		if !p.Now.Producer.Alive && p.Now.Depth() == 0 {
			return Calm
		}
	case pressure.Idle, pressure.NoProducer:
		return Calm
	case pressure.Balanced, pressure.ProducerBound:
		return Good
	case pressure.ConsumerBound:
		return Warn
	}
	return Bad
}

// troubleLasts is how long a segment stays among those in trouble after its verdict has
// become better, so that the order of a list does not change all the time.
const troubleLasts = 5 * time.Second

// TroubleFirst returns the pairs with those on top whose verdict is bad, or was so a few
// seconds ago, and those that cannot be read at the end; apart from that in the order
// that they have.
func TroubleFirst(pairs []*Pair) []*Pair {
	rank := func(p *Pair) int {
		switch {
		case p.Err != nil:
			return 2
		case p.Troubled:
			return 0
		}
		return 1
	}
	pairs = slices.Clone(pairs)
	slices.SortStableFunc(pairs, func(a, b *Pair) int { return rank(a) - rank(b) })
	return pairs
}

// updateTroubled keeps Troubled.
func (p *Pair) updateTroubled() {
	if p.Severity() == Bad {
		p.troubledAt, p.Troubled = p.Now.At, true
	}
	p.Troubled = p.Troubled && p.Now.At-p.troubledAt < uint64(troubleLasts)
}
