// Package monitor keeps an eye on segments: it finds them, looks at them again and
// again, and remembers their recent past. It takes no part and disturbs nobody.
package monitor

import (
	"errors"
	"io/fs"
	"time"

	"sluice/internal/report"
	"sluice/internal/segments"
	"sluice/pressure"
	"sluice/shm"
)

// Point is what happened between two looks at a segment.
type Point struct {
	At         time.Time
	Throughput float64 // messages consumed a second
	Depth      uint64  // messages
	Fill       float64 // share of the tighter bound, 0 to 1

	// The shares of the time that each side slept, 0 to 1.
	ProducerBlocked, ConsumerBlocked float64
}

// Pair is a segment under observation.
type Pair struct {
	Name string
	// Err is why there is nothing to see: the file is no segment, not this user's,
	// or damaged. Only Name is valid beside it.
	Err        error
	Now        pressure.Snapshot
	Step       pressure.Interval // since the last look
	LastSecond pressure.Interval // of the last second
	Verdict    pressure.Verdict
	History    []Point // oldest first
	// Troubled: the verdict is bad, or was so a few seconds ago.
	Troubled bool

	view     *shm.View
	trend    pressure.Trend
	observed bool // Now is valid
	round    int  // of the last look that found it

	troubledAt uint64 // when the verdict was bad last, ns
}

// Report returns an observer's report on a pair that can be read.
func (p *Pair) Report() *report.Report { return report.Of(p.Name, &p.Now, &p.LastSecond, p.Verdict) }

// Reason is why a pair cannot be read, without its name; "" when it can.
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
	// Omitted is how many more segments there were at the last look than are
	// followed.
	Omitted int
	// Ended, if not nil, is called from Poll with a pair whose segment is gone, after
	// a last look at what was in it.
	Ended func(*Pair)

	only  string // "" = all
	keep  int
	round int
	pairs map[string]*Pair
}

// New follows the segment called name, or all there are if it is "". Of each, it
// keeps that many points of history.
func New(name string, keep int) *Monitor {
	return &Monitor{only: name, keep: keep, pairs: map[string]*Pair{}}
}

// Poll looks at every segment once more and returns them in the natural order of
// their names, new ones included and without those that are gone. What it returns is
// valid until the next call. The error is for a /dev/shm that cannot be listed.
func (f *Monitor) Poll() ([]*Pair, error) {
	names := []string{f.only}
	if f.only == "" {
		var err error
		if names, f.Omitted, err = segments.Names(); err != nil {
			return nil, err
		}
	}
	f.round++
	var out []*Pair
	for _, name := range names {
		if p := f.poll(name); p != nil {
			p.round = f.round
			out = append(out, p)
		}
	}
	for name, p := range f.pairs {
		switch {
		case p.round == f.round:
		case p.view != nil && p.view.Gone():
			f.end(p)
		default: // one of too many
			f.drop(name)
		}
	}
	return out, nil
}

// poll returns the pair of that name, nil when there is none.
func (f *Monitor) poll(name string) *Pair {
	if p := f.pairs[name]; p != nil && (p.view == nil || p.view.Gone()) {
		f.end(p)
	}
	p := f.pairs[name]
	if p == nil {
		p = &Pair{Name: name}
		f.pairs[name] = p
		p.view, p.Err = shm.OpenView(name)
		if errors.Is(p.Err, fs.ErrNotExist) {
			return nil
		}
	}
	if p.view != nil {
		p.Err = p.step(f.keep)
	}
	return p
}

// end takes a last look at a segment that is gone: its name is, the memory stays as
// its last side has left it until it is unmapped.
func (f *Monitor) end(p *Pair) {
	if p.view != nil && f.Ended != nil {
		if p.Err = p.step(f.keep); p.Err == nil {
			f.Ended(p)
		}
	}
	f.drop(p.Name)
}

// step takes the next snapshot.
func (p *Pair) step(keep int) error {
	now, err := pressure.Observe(p.view)
	if err != nil {
		return shm.InSegment("look at", p.Name, err)
	}
	before := p.Now
	if !p.observed {
		before, p.observed = now, true
	}
	now.CarryHighWater(&before)
	p.Now, p.Step = now, pressure.Between(&before, &now)
	p.LastSecond, p.Verdict = p.trend.Add(now)
	if p.Step.Elapsed > 0 { // the first look sees nothing move
		p.updateTroubled()
	}
	if p.Step.Elapsed == 0 {
		return nil
	}
	p.History = append(p.History, Point{
		At: time.Now(), Throughput: p.Step.Throughput, Depth: now.Depth(), Fill: now.Fill(),
		ProducerBlocked: p.Step.ProducerBlocked, ConsumerBlocked: p.Step.ConsumerBlocked,
	})
	if extra := len(p.History) - keep; extra > 0 {
		p.History = p.History[:copy(p.History, p.History[extra:])]
	}
	return nil
}

func (f *Monitor) drop(name string) {
	if p := f.pairs[name]; p.view != nil {
		p.view.Close()
	}
	delete(f.pairs, name)
}

// Close ends all observation. What Poll has returned is invalid.
func (f *Monitor) Close() {
	for name := range f.pairs {
		f.drop(name)
	}
}
