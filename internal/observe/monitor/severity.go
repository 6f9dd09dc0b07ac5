package monitor

import (
	"slices"
	"time"

	"sluice/pressure"
)

// Severity is how urgent a verdict is.
type Severity int

// The severities.
const (
	Calm Severity = iota // no messages move, and none have to
	Good                 // messages move
	Warn                 // one side holds the other back
	Bad                  // messages wait until somebody intervenes
)

// String returns the severity as a word, which is also a class in the page's style sheet.
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

// Severity returns how urgent the pair's verdict is. A missing consumer is not urgent when there is
// neither a producer nor a message.
func (p *Pair) Severity() Severity {
	switch p.Verdict.Kind {
	case pressure.NoConsumer:
		if !p.Now.Producer.Alive && p.Now.Depth() == 0 {
			return Calm
		}
	case pressure.Idle, pressure.NoProducer:
		return Calm
	case pressure.Balanced, pressure.ProducerBound:
		if !p.Verdict.Cause.Broken() {
			return Good
		}
	case pressure.ConsumerBound:
		if !p.Verdict.Cause.Broken() {
			return Warn
		}
	}
	return Bad
}

// troubledTime is how long a pair stays Troubled after its verdict has improved, so that the order
// of a list does not change all the time.
const troubledTime = 5 * time.Second

// TroubledFirst returns the pairs with those that are Troubled first and those that cannot be read
// last, otherwise in the order that they have.
func TroubledFirst(pairs []*Pair) []*Pair {
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

// updateTroubled sets Troubled after a snapshot.
func (p *Pair) updateTroubled() {
	if p.Severity() == Bad {
		p.troubledAt, p.Troubled = p.Now.At, true
	}
	p.Troubled = p.Troubled && p.Now.At-p.troubledAt < uint64(troubledTime)
}
