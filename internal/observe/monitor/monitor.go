// Package monitor observes segments: it finds them, takes snapshots of them again and again, and
// keeps their recent history. It only reads, and the sides do not notice.
package monitor

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"sluice/internal/flow"
	"sluice/internal/report"
	"sluice/internal/segments"
	"sluice/pressure"
	"sluice/shm"
)

// Point is what happened between two snapshots of a segment.
type Point struct {
	At         time.Time
	Throughput float64 // messages consumed a second
	Depth      uint64  // messages
	Waiting    uint64  // messages that are due and wait in front of the producer

	// The shares of the time that each side was blocked, 0 to 1.
	ProducerBlocked, ConsumerBlocked float64
}

// Pair is a segment under observation.
type Pair struct {
	Name string
	// Err is why the segment cannot be read: the file is no segment, belongs to another
	// user, or is damaged. If it is not nil, only Name is valid.
	Err        error
	Now        pressure.Snapshot
	Step       pressure.Interval // since the last Poll
	LastSecond pressure.Interval // of the last second
	Verdict    pressure.Verdict
	Place      *flow.Place // among the other segments; nil when it was not computed
	History    []Point     // oldest first
	// Troubled: the severity is Bad, or was a few seconds ago.
	Troubled bool

	view     *shm.View
	trend    pressure.Trend
	observed bool // Now is valid
	round    int  // of the last Poll that found it

	troubledAt uint64 // when the severity was Bad last, monotonic ns
}

// Report returns an observer's report on a pair that can be read.
func (p *Pair) Report() *report.Report {
	return report.Of(p.Name, &p.Now, &p.LastSecond, p.Verdict, p.Place)
}

// Scheduled reports whether messages are due by a schedule, or were in the last second.
func (p *Pair) Scheduled() bool { return p.LastSecond.Scheduled }

// AnyScheduled reports whether one of the pairs that can be read is Scheduled.
func AnyScheduled(pairs []*Pair) bool {
	return slices.ContainsFunc(pairs, func(p *Pair) bool { return p.Err == nil && p.Scheduled() })
}

// Reason returns why a pair cannot be read, without its name; "" when it can.
func (p *Pair) Reason() string {
	if p.Err == nil {
		return ""
	}
	if in := (*shm.SegmentError)(nil); errors.As(p.Err, &in) {
		return in.Cause()
	}
	return p.Err.Error()
}

// Monitor observes segments, at most [segments.Max] at once. It is for one goroutine.
type Monitor struct {
	// Omitted is how many segments there were beyond that number at the last Poll.
	Omitted int
	// Connect makes Poll compute Graph, for which it observes the other segments too.
	Connect bool
	// Graph is how all observed segments are connected, since the last Poll; nil without Connect.
	Graph *flow.Graph
	// Ended, if not nil, is called by Poll with a pair whose segment was removed, after a last
	// snapshot of it.
	Ended func(*Pair)

	only  []string // names and patterns; none = all
	keep  int
	round int
	pairs map[string]*Pair
}

// New returns a Monitor of the segments whose names match one of these names and patterns, as
// [shm.Match] does it, or of all segments if there is none. It keeps that many points of history of
// each.
func New(names []string, keep int) *Monitor {
	return &Monitor{only: names, keep: keep, pairs: map[string]*Pair{}}
}

// Poll takes a snapshot of every segment and returns the segments in the natural order of their
// names, with new ones and without removed ones. What it returns is valid until the next call. The
// error is that /dev/shm cannot be listed.
func (m *Monitor) Poll() ([]*Pair, error) {
	names := m.only
	if len(names) == 0 || slices.ContainsFunc(names, shm.IsPattern) {
		var err error
		if names, m.Omitted, err = segments.Names(m.only...); err != nil {
			return nil, err
		}
	}
	m.round++
	out := m.pollAll(names)
	if m.Connect {
		others, err := m.others(len(out))
		if err != nil {
			return nil, err
		}
		m.connect(out, m.pollAll(others))
	}
	for name, p := range m.pairs {
		switch {
		case p.round == m.round:
		case p.view != nil && p.view.Gone():
			m.end(p)
		default: // omitted now
			m.drop(name)
		}
	}
	return out, nil
}

// pollAll takes the next snapshots of the segments with these names, and returns those that exist.
func (m *Monitor) pollAll(names []string) (out []*Pair) {
	for _, name := range names {
		if p := m.poll(name); p != nil {
			p.round = m.round
			out = append(out, p)
		}
	}
	return out
}

// others returns the names of the segments that were not chosen, with n chosen ones at most
// [segments.Max].
func (m *Monitor) others(n int) ([]string, error) {
	if len(m.only) == 0 || n >= segments.Max {
		return nil, nil
	}
	all, _, err := segments.Names()
	all = slices.DeleteFunc(all, func(name string) bool { return segments.Match(m.only, name) })
	return all[:min(len(all), segments.Max-n)], err
}

// connect sets Graph, and the places of the pairs in it.
func (m *Monitor) connect(chosen, others []*Pair) {
	var all []flow.Segment
	for _, p := range slices.Concat(chosen, others) {
		if p.Err == nil {
			all = append(all, flow.Segment{Name: p.Name, Now: &p.Now, Interval: &p.LastSecond, Verdict: &p.Verdict})
		}
	}
	slices.SortFunc(all, func(a, b flow.Segment) int { return segments.Compare(a.Name, b.Name) })
	m.Graph = flow.New(all)
	for _, p := range chosen {
		p.Place = m.Graph.Of(p.Name)
	}
}

// poll takes the next snapshot of the segment called name; it returns nil when there is none.
func (m *Monitor) poll(name string) *Pair {
	if p := m.pairs[name]; p != nil && (p.view == nil || p.view.Gone()) {
		m.end(p)
	}
	p := m.pairs[name]
	if p == nil {
		p = &Pair{Name: name}
		m.pairs[name] = p
		p.view, p.Err = shm.OpenView(name)
		if errors.Is(p.Err, fs.ErrNotExist) {
			return nil
		}
	}
	if p.view != nil {
		p.Err = p.step(m.keep)
	}
	return p
}

// end takes the last snapshot of a segment that was removed: its memory stays as the last side left
// it until it is unmapped.
func (m *Monitor) end(p *Pair) {
	if p.view != nil && m.Ended != nil {
		if p.Err = p.step(m.keep); p.Err == nil {
			m.Ended(p)
		}
	}
	m.drop(p.Name)
}

// step takes the next snapshot.
func (p *Pair) step(keep int) error {
	now, err := pressure.Observe(p.view)
	if err != nil {
		return err
	}
	before := p.Now
	if !p.observed {
		before, p.observed = now, true
	}
	now.CarryHighWater(&before)
	p.Now, p.Step = now, pressure.Between(&before, &now)
	p.LastSecond, p.Verdict = p.trend.Add(now)
	if p.Step.Elapsed > 0 { // the first snapshot has no interval
		p.updateTroubled()
	}
	if p.Step.Elapsed == 0 {
		return nil
	}
	p.History = append(p.History, Point{
		At: time.Now(), Throughput: p.Step.Throughput, Depth: now.Depth(), Waiting: now.Waiting(),
		ProducerBlocked: p.Step.ProducerBlocked, ConsumerBlocked: p.Step.ConsumerBlocked,
	})
	if extra := len(p.History) - keep; extra > 0 {
		p.History = p.History[:copy(p.History, p.History[extra:])]
	}
	return nil
}

func (m *Monitor) drop(name string) {
	if p := m.pairs[name]; p.view != nil {
		p.view.Close()
	}
	delete(m.pairs, name)
}

// Close ends the observation. What Poll has returned is invalid after it.
func (m *Monitor) Close() {
	for name := range m.pairs {
		m.drop(name)
	}
}
