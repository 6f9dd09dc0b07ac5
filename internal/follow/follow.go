// Package follow keeps an eye on segments: it finds them, looks at them again and
// again, and remembers their recent past. It takes no part and disturbs nobody.
package follow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

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
	Err     error
	Now     pressure.Snapshot
	Step    pressure.Interval // since the last look
	Lately  pressure.Interval // of the last second
	Verdict pressure.Verdict
	History []Point // oldest first

	view   *shm.View
	trend  pressure.Trend
	looked bool // Now is valid
}

// Follower looks at segments. It is for one goroutine.
type Follower struct {
	only  string // "" = all
	keep  int
	pairs map[string]*Pair
}

// New follows the segment called name, or all there are if it is "". Of each, it
// keeps that many points of history.
func New(name string, keep int) *Follower {
	return &Follower{only: name, keep: keep, pairs: map[string]*Pair{}}
}

// Look looks at every segment once more and returns them by name, new ones
// included and without those that are gone. What it returns is valid until the next
// call. The error is for a /dev/shm that cannot be listed.
func (f *Follower) Look() ([]*Pair, error) {
	names := []string{f.only}
	if f.only == "" {
		var err error
		if names, err = shm.List(); err != nil {
			return nil, err
		}
	}
	var out []*Pair
	for _, name := range names {
		if p := f.look(name); p != nil {
			out = append(out, p)
		}
	}
	for name := range f.pairs {
		if !slices.ContainsFunc(out, func(p *Pair) bool { return p.Name == name }) {
			f.drop(name)
		}
	}
	slices.SortFunc(out, func(a, b *Pair) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// look returns the pair of that name, nil when there is none.
func (f *Follower) look(name string) *Pair {
	if p := f.pairs[name]; p != nil && (p.view == nil || p.view.Gone()) {
		f.drop(name)
	}
	p := f.pairs[name]
	if p == nil {
		p = &Pair{Name: name}
		f.pairs[name] = p
		p.view, p.Err = shm.Look(name)
		if errors.Is(p.Err, fs.ErrNotExist) {
			return nil
		}
	}
	if p.view != nil {
		p.Err = p.step(f.keep)
	}
	return p
}

// step takes the next snapshot.
func (p *Pair) step(keep int) error {
	now, err := pressure.Observe(p.view)
	if err != nil {
		return fmt.Errorf("segment %q: %w", p.Name, err)
	}
	before := p.Now
	if !p.looked {
		before, p.looked = now, true
	}
	p.Now, p.Step = now, pressure.Between(&before, &now)
	p.Lately, p.Verdict = p.trend.Add(now)
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

func (f *Follower) drop(name string) {
	if p := f.pairs[name]; p.view != nil {
		p.view.Close()
	}
	delete(f.pairs, name)
}

// Close ends all observation. What Look has returned is invalid.
func (f *Follower) Close() {
	for name := range f.pairs {
		f.drop(name)
	}
}
