package bridge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// RingEvents are calls that tell a program what OutAll does. Each may be nil, and is called by
// several goroutines, one at a time for one ring.
type RingEvents struct {
	// Of returns the calls for the ring called name, before it is joined. OnEnd of them is called
	// for a ring that is named, and not for one that a pattern matches: see OnLeave.
	Of func(name string) Events
	// OnLeave is called when a ring has been left because its stream has ended: with nil when it
	// was complete, else with a layout.ErrIncomplete.
	OnLeave func(name string, err error)
	// OnSkip is called when a ring that a pattern matches cannot be joined, with another reason
	// than before. That is tried again every second.
	OnSkip func(name string, err error)
}

// OutAll is Out for several rings, which share nc: each has a subject of its own. names are names
// of rings, which it waits for, and patterns in which * stands for any characters: the rings that
// they match join when they appear. opt.Subject and opt.Events are not used.
//
// OutAll returns when the streams of all rings that are named and of all that have joined have
// ended, of one ring at least: nil, or an error that is ErrIncomplete of the ring when one was not
// complete. With opt.Follow it goes on until ctx is done, and returns its cause. When a ring that
// it has joined, or a named one, fails otherwise, all others are left, and it returns that error.
func OutAll(ctx context.Context, nc *nats.Conn, names []string, opt OutOptions, events RingEvents) error {
	a := &outAll{
		nc: nc, opt: opt, events: events, rings: map[string]*outRing{}, left: map[string]uint64{}, skipped: map[string]string{},
		changed: make(chan struct{}, 1), done: make(chan *outRing),
	}
	for i, name := range names {
		if err := shm.CheckPattern(name); err != nil {
			return err
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("ring %q is named twice", name)
		}
		if shm.IsPattern(name) {
			a.patterns = append(a.patterns, name)
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, name := range names {
		if !shm.IsPattern(name) {
			a.start(ctx, name, true)
		}
	}
	err := a.run(ctx)
	stop(errLeft)
	for len(a.rings) > 0 {
		r := <-a.done
		delete(a.rings, r.name)
		if r.err != nil && !errors.Is(r.err, errLeft) && !errors.Is(r.err, context.Cause(ctx)) && !errors.Is(r.err, context.Canceled) {
			err = errors.Join(err, r.err)
		}
	}
	return err
}

var (
	errLeft   = errors.New("another ring has failed") // cause of the context of a ring
	errGone   = errors.New("the segment is gone")     // likewise
	errNoNews = errors.New("nothing new in it")
)

// retryAfter is the time between two attempts to join a ring that cannot be joined now, and,
// without a watch, between two looks for new ones.
const retryAfter = time.Second

// outAll is the state of OutAll, of whose fields only its goroutine uses all.
type outAll struct {
	nc       *nats.Conn
	opt      OutOptions
	events   RingEvents
	patterns []string

	rings   map[string]*outRing
	joined  bool              // a ring has joined
	left    map[string]uint64 // the inodes of segments that were left at the end of a stream
	skipped map[string]string // why, as OnSkip was told
	ended   []error           // of streams that were not complete

	changed chan struct{} // has a value when a segment has appeared
	done    chan *outRing
}

// outRing is a ring of OutAll.
type outRing struct {
	name   string
	named  bool
	cancel context.CancelCauseFunc
	inode  atomic.Uint64 // of the segment that was joined last; 0 = none yet
	err    error         // of Out, once the ring is sent on done
}

// run starts bridges as rings appear, until it is done.
func (a *outAll) run(ctx context.Context) error {
	var retry <-chan time.Time
	if len(a.patterns) > 0 {
		tick := time.NewTicker(retryAfter)
		defer tick.Stop()
		retry = tick.C
		watcher, err := shm.Watch(func(string) {
			select {
			case a.changed <- struct{}{}:
			default:
			}
		})
		if err == nil { // else the ticks have to do
			defer watcher.Close()
		}
		if err := a.look(ctx); err != nil {
			return err
		}
	}
	for {
		if len(a.rings) == 0 && (len(a.patterns) == 0 || a.joined && !a.opt.Follow) {
			return errors.Join(a.ended...)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case r := <-a.done:
			if err := a.leave(ctx, r); err != nil {
				return err
			}
		case <-a.changed:
			if err := a.look(ctx); err != nil {
				return err
			}
		case <-retry:
			if err := a.look(ctx); err != nil {
				return err
			}
		}
	}
}

// start begins to bridge a ring.
func (a *outAll) start(ctx context.Context, name string, named bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &outRing{name: name, named: named, cancel: cancel}
	a.rings[name] = r
	opt := a.opt
	opt.Subject, opt.Events = "", Events{}
	if a.events.Of != nil {
		opt.Events = a.events.Of(name)
	}
	if !named { // a name that never comes again would keep a goroutine
		opt.Follow, opt.OnEnd = false, nil
	}
	attach := opt.OnAttach
	opt.OnAttach = func(seg *shm.Segment, moved func() uint64) {
		r.inode.Store(seg.Inode())
		if attach != nil {
			attach(seg, moved)
		}
	}
	go func() {
		defer cancel(nil)
		r.err = Out(ctx, a.nc, name, opt)
		a.done <- r
	}()
}

// leave is called when a bridge of a ring has ended. It returns the error that ends all.
func (a *outAll) leave(ctx context.Context, r *outRing) error {
	delete(a.rings, r.name)
	inode := r.inode.Load()
	a.joined = a.joined || inode != 0
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case r.err == nil, errors.Is(r.err, layout.ErrIncomplete):
		a.left[r.name] = inode
		if a.events.OnLeave != nil {
			a.events.OnLeave(r.name, r.err)
		}
		if r.err != nil && !a.opt.Follow {
			a.ended = append(a.ended, r.err)
		}
		return a.look(ctx) // it may have the next stream already
	case errors.Is(r.err, errGone):
		return nil
	case r.named, inode != 0, errors.Is(r.err, ErrStream), a.nc.IsClosed():
		return r.err
	}
	a.skip(r.name, r.err)
	return nil
}

// look starts a bridge for each ring that has appeared.
func (a *outAll) look(ctx context.Context) error {
	names, err := shm.List()
	if err != nil || len(a.patterns) == 0 {
		return err
	}
	there := func(name string) bool {
		_, found := slices.BinarySearch(names, name)
		return found
	}
	for name, r := range a.rings {
		if !r.named && r.inode.Load() == 0 && !there(name) {
			r.cancel(errGone)
		}
	}
	for name := range a.skipped {
		if !there(name) {
			delete(a.skipped, name)
		}
	}
	for name := range a.left {
		if !there(name) {
			delete(a.left, name)
		}
	}
	for _, name := range names {
		matches := slices.ContainsFunc(a.patterns, func(p string) bool { return shm.Match(p, name) })
		if !matches || a.rings[name] != nil {
			continue
		}
		switch err := a.check(name); {
		case err == nil:
			a.start(ctx, name, false)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoNews):
		default:
			a.skip(name, err)
		}
	}
	return nil
}

// skip tells of a ring that cannot be joined.
func (a *outAll) skip(name string, err error) {
	is := a.skipped[name] != err.Error()
	a.skipped[name] = err.Error()
	if is && a.events.OnSkip != nil {
		a.events.OnSkip(name, err)
	}
}

// check reports whether a ring that a pattern matches can be joined. It only looks: to take the
// role of another consumer, even for a moment, could keep that from starting.
func (a *outAll) check(name string) error {
	view, err := shm.OpenView(name)
	if err != nil {
		return err
	}
	defer view.Close()
	if err := view.CheckTrust(a.opt.Access); err != nil {
		return err
	}
	if mode := view.Geometry().Mode; mode != layout.ModeRing {
		return shm.InSegment(endpoint.OpOpen, name, fmt.Errorf("%w: %v, not ring", layout.ErrMode, mode))
	}
	s, err := pressure.Observe(view)
	if err != nil {
		return err
	}
	if s.Consumer.Alive {
		return shm.InSegment(endpoint.OpOpen, name, shm.ErrRoleTaken)
	}
	if a.left[name] == view.Inode() && s.Depth() == 0 && s.UntoldEnds == 0 && s.Consumer.EndSeen == s.Producer.Generation {
		return errNoNews
	}
	return nil
}
