package sluice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/gate"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
)

// fanIn is what FanIn and FanInOf share: which rings there are, and which one is next
// (fanin_core.go), how they join (fanin_join.go) and how they leave (fanin_leave.go). R is the end
// of one.
type fanIn[R fanInEnd] struct {
	opt   FanInOptions
	open  func(*shm.Segment, ring.ReaderOptions) (R, error)
	group *ring.Group[R, *Source]
	gate  gate.Gate // of the calls that may wait, and of those after which a ring joins or leaves

	named    []*namedRing
	patterns []string
	skipped  map[string]string    // why a segment does not join
	failed   error                // of join, to be returned by a call for a message
	locked   bool                 // another process holds the join lock of a ring that is to join
	left     map[string]*leftRing // segments that were left, and may still be there
	joined   bool                 // some ring has joined

	held    []*Source // that may hold messages
	leaving []leaving[R]
	ends    errorList // of the rings that were left
	closes  errorList // of closing them, with Follow

	watcher *shm.Watcher
	changed atomic.Bool // a segment may have appeared
	retry   *time.Timer

	closing sync.Mutex // held by Close

	mu      sync.Mutex // guards what follows; the owner writes it
	sources []*Source
	closed  bool // by Close: no more may be added
}

// overhead is what a message counts for beside its payload, in bytes: see ring.Quantum.
const overhead = 8

// fanInEntry is a ring that has joined.
type fanInEntry[R fanInEnd] = ring.Entry[R, *Source]

// fanInEnd is what a fanIn needs of an end of a ring.
type fanInEnd interface {
	ring.Member
	Held() int
	Release()
	ReleaseN(n int)
	Released() uint64
	Unread() uint64
	Framing() layout.Framing
	Segment() *shm.Segment
	Close() error
}

// start checks the names and joins the rings that are there.
func (f *fanIn[R]) start(ctx context.Context, names []string, opt FanInOptions, open func(*shm.Segment, ring.ReaderOptions) (R, error)) error {
	f.opt, f.open = opt, open
	f.skipped, f.left = map[string]string{}, map[string]*leftRing{}
	if err := cmp.Or(f.setNames(names), sleep.CheckSpin(opt.Spin)); err != nil {
		return fmt.Errorf("open a fan-in: %w", err)
	}
	f.group = ring.NewGroup[R, *Source](opt.Spin, f.due)
	f.changed.Store(true)
	f.retry = time.AfterFunc(retryAfter, f.notice)
	f.retry.Stop()
	// Before the first look at what is there, so that nothing appears in between. Without it the
	// retries find what appears.
	f.watcher, _ = shm.Watch(func(name string) {
		if name == "" || f.wants(name) {
			f.notice()
		}
	})
	if err := f.join(ctx, true); err != nil {
		f.Close()
		return err
	}
	return nil
}

func (f *fanIn[R]) due() bool { return f.changed.Load() || f.gate.Closed() }

// choose returns the ring whose turn it is, once there is one that need not wait.
func (f *fanIn[R]) choose(ctx context.Context) (*fanInEntry[R], error) {
	for {
		if e := f.group.Current(); e != nil && !f.changed.Load() {
			return e, nil
		}
		e, err := f.chooseSlow(ctx)
		if e != nil || err != nil {
			return e, err
		}
		if ctx.Err() != nil { // rings that join and leave could keep it from waiting
			return nil, context.Cause(ctx)
		}
	}
}

// chooseSlow is choose without a message that is known. It returns nil when it is to be called
// again.
func (f *fanIn[R]) chooseSlow(ctx context.Context) (*fanInEntry[R], error) {
	f.gate.Enter()
	defer f.gate.Leave()
	if err := f.look(ctx); err != nil {
		f.failed = nil // it is told
		return nil, err
	}
	e, err := f.group.Select(ctx)
	if e != nil && err != nil {
		return nil, f.leave(e, err)
	}
	return e, err
}

// tryChoose is choose that does not wait: ErrEmpty.
func (f *fanIn[R]) tryChoose() (*fanInEntry[R], error) {
	if e := f.group.Current(); e != nil && !f.changed.Load() {
		return e, nil
	}
	f.gate.Enter()
	defer f.gate.Leave()
	for {
		if err := f.look(context.Background()); err != nil {
			f.failed = nil // it is told
			return nil, err
		}
		e, err := f.group.TrySelect()
		switch {
		case e == nil:
			return nil, cmp.Or(err, ErrEmpty)
		case err == nil:
			return e, nil
		}
		if err := f.leave(e, err); err != nil {
			return nil, err
		}
	}
}

// look joins rings that have appeared, and returns why no message will come any more, nil if one
// may.
func (f *fanIn[R]) look(ctx context.Context) error {
	if f.gate.Closed() {
		return ErrClosed
	}
	if f.changed.Load() {
		if err := f.join(ctx, false); err != nil {
			f.failed = err
		}
	}
	if f.failed != nil {
		return f.failed
	}
	switch {
	case len(f.sources) > len(f.leaving) || f.opt.Follow || !f.joined || f.locked:
		return nil
	case slices.ContainsFunc(f.named, func(r *namedRing) bool { return !r.in && !r.done }), f.awaitsReplacement():
		return nil
	}
	ends := f.ends.all()
	for _, l := range f.leaving {
		ends = append(ends, l.failure())
	}
	return cmp.Or(errors.Join(ends...), io.EOF)
}

// took notes that the source holds messages.
func (f *fanIn[R]) took(s *Source) {
	if n := len(f.held); n > 0 && f.held[n-1] == s || slices.Contains(f.held, s) {
		return
	}
	f.held = append(f.held, s)
}

// Ready returns a channel that is closed when a call for the next message need not wait: that of
// [ring.Reader.Ready], for all rings together. A segment that has appeared, and may join, closes it
// too.
func (f *fanIn[R]) Ready() <-chan struct{} {
	f.gate.Enter()
	defer f.gate.Leave()
	if f.look(context.Background()) != nil {
		return sleep.Always
	}
	return f.group.Ready()
}

// ReadyFD returns a descriptor that can be read when a call for the next message need not wait:
// that of [ring.Reader.ReadyFD], for all rings together. It stays the same one.
func (f *fanIn[R]) ReadyFD() (int, error) {
	f.gate.Enter()
	defer f.gate.Leave()
	if f.gate.Closed() {
		return -1, ErrClosed
	}
	return f.group.ReadyFD()
}

// Release gives back every message that is held, as [Consumer].Release does.
func (f *fanIn[R]) Release() {
	for _, s := range f.held {
		s.end.Release()
	}
	f.held = f.held[:0]
	f.released()
}

// Held returns how many messages were taken and not released.
func (f *fanIn[R]) Held() int {
	held := 0
	for _, s := range f.held {
		held += s.Held()
	}
	return held
}

// Sources returns the rings that are there now, in the order in which they have joined. Any
// goroutine may call it.
func (f *fanIn[R]) Sources() []*Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sources)
}

// Close releases the roles. What is not released is for the next consumers. It may be called as
// that of a [Consumer], and returns an error for each ring that has one, joined; with Follow also
// for those that have left.
func (f *fanIn[R]) Close() error {
	f.closing.Lock()
	defer f.closing.Unlock()
	if f.gate.Closed() {
		return nil
	}
	f.gate.Close()
	f.group.Interrupt()
	f.retry.Stop()
	if f.watcher != nil {
		f.watcher.Close()
	}
	f.group.Close(f.gate.Wait(gate.CloseTimeout))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	errs := f.closes.all()
	for _, s := range f.sources {
		errs = append(errs, s.end.Close())
	}
	return errors.Join(errs...)
}

// errorList holds errors, the first ones and how many more there were.
type errorList struct {
	first []error
	more  int
}

const maxErrors = 100

func (l *errorList) add(err error) {
	switch {
	case err == nil:
	case len(l.first) < maxErrors:
		l.first = append(l.first, err)
	default:
		l.more++
	}
}

// all returns the errors, and one for those that are not kept.
func (l *errorList) all() []error {
	all := slices.Clone(l.first)
	if l.more > 0 {
		all = append(all, fmt.Errorf("%d more rings have such an error", l.more))
	}
	return all
}

// ranged ranges over what next returns, and releases each when the loop asks for the next one.
func ranged[M any](release func(), next func() (M, error)) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		for {
			msg, err := next()
			if err == io.EOF {
				return
			}
			if !yield(msg, err) || err != nil {
				return
			}
			release()
		}
	}
}
