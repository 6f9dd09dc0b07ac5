package sluice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/endpoint"
	"sluice/internal/gate"
	"sluice/internal/sleep"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
)

// fanIn is what FanIn and FanInOf share: which rings there are, how they join and leave, and
// which one is next. R is the end of one.
type fanIn[R fanInEnd] struct {
	opt   FanInOptions
	open  func(*shm.Segment, ring.ReaderOptions) (R, error)
	group *ring.Group[R, *Source]
	gate  gate.Gate // of the calls that may wait or join

	named    []*namedRing
	patterns []string
	skipped  map[string]string // why a segment that a pattern matches does not join
	ended    map[string]bool   // segments of patterns that were left, and may still be there
	joined   bool              // some ring has joined

	held    []*Source // that may hold messages
	leaving []leaving[R]
	errs    []error // of the rings that were left

	watcher *shm.Watcher
	changed atomic.Bool // a segment may have appeared
	retry   *time.Timer

	closing sync.Mutex // held by Close

	mu      sync.Mutex // guards what follows; the owner writes it
	sources []*Source
	closed  bool // by Close: no more may be added
}

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

// namedRing is a ring that the caller has named.
type namedRing struct {
	name string
	in   bool // it has joined
	done bool // it was left, and does not join again
}

// leaving is a ring whose stream is over, and of which messages are still held.
type leaving[R fanInEnd] struct {
	source *Source
	end    R
	err    error // of the end, nil if it was complete
}

// start checks the names and joins the rings that are there.
func (f *fanIn[R]) start(ctx context.Context, names []string, opt FanInOptions, open func(*shm.Segment, ring.ReaderOptions) (R, error)) error {
	f.opt, f.open = opt, open
	f.skipped, f.ended = map[string]string{}, map[string]bool{}
	if err := cmp.Or(f.setNames(names), sleep.CheckSpin(opt.Spin)); err != nil {
		return err
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

func (f *fanIn[R]) setNames(names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("%w: no name of a ring", ErrOption)
	}
	for i, name := range names {
		switch {
		case slices.Contains(names[:i], name):
			return fmt.Errorf("%w: %q is named twice", ErrOption, name)
		case strings.Contains(name, "*"):
			if err := shm.CheckPattern(name); err != nil {
				return err
			}
			f.patterns = append(f.patterns, name)
		default:
			if err := shm.CheckName(name); err != nil {
				return err
			}
			f.named = append(f.named, &namedRing{name: name})
		}
	}
	return nil
}

// wants reports whether a segment of that name is to join. Any goroutine may ask.
func (f *fanIn[R]) wants(name string) bool {
	return slices.ContainsFunc(f.named, func(r *namedRing) bool { return r.name == name }) ||
		slices.ContainsFunc(f.patterns, func(p string) bool { return shm.Match(p, name) })
}

// notice makes the next call look for rings that join. Any goroutine may call it.
func (f *fanIn[R]) notice() {
	f.changed.Store(true)
	f.group.Interrupt()
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
	}
}

// chooseSlow is choose without a message that is known. It returns nil when it is to be called
// again.
func (f *fanIn[R]) chooseSlow(ctx context.Context) (*fanInEntry[R], error) {
	f.gate.Enter()
	defer f.gate.Leave()
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	e, err := f.group.Select(ctx)
	if e != nil && err != nil {
		return nil, f.check(e, err)
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
	if err := f.look(context.Background()); err != nil {
		return nil, err
	}
	if e := f.group.TrySelect(); e != nil {
		return e, nil
	}
	return nil, ErrEmpty
}

// look joins rings that have appeared, and returns why no message will come any more, nil if one
// may.
func (f *fanIn[R]) look(ctx context.Context) error {
	if f.gate.Closed() {
		return ErrClosed
	}
	if f.changed.Load() {
		if err := f.join(ctx, false); err != nil {
			f.changed.Store(true)
			return err
		}
	}
	switch {
	case len(f.sources) > len(f.leaving) || f.opt.Follow || !f.joined:
		return nil
	case slices.ContainsFunc(f.named, func(r *namedRing) bool { return !r.in && !r.done }):
		return nil
	}
	errs := f.errs
	for _, l := range f.leaving {
		errs = append(errs[:len(errs):len(errs)], l.err)
	}
	return cmp.Or(errors.Join(errs...), io.EOF)
}

// took notes that the source holds messages.
func (f *fanIn[R]) took(s *Source) {
	if n := len(f.held); n > 0 && f.held[n-1] == s || slices.Contains(f.held, s) {
		return
	}
	f.held = append(f.held, s)
}

// check decides on an error of a ring: nil when the others go on.
func (f *fanIn[R]) check(e *fanInEntry[R], err error) error {
	switch {
	case err == ErrEmpty:
		return nil
	case errors.Is(err, ErrUnreleased):
		return err
	case err == ErrClosed:
		return err
	}
	f.group.Remove(e)
	again := errors.Is(err, ErrRemoved) && replaced(e.Reader.Segment())
	if err == io.EOF || again {
		err = nil
	}
	if r := f.namedRing(e.Owner.name); r != nil {
		r.done = !again && !f.opt.Follow
	} else {
		f.ended[e.Owner.name] = !again && !f.opt.Follow
	}
	f.leaving = append(f.leaving, leaving[R]{e.Owner, e.Reader, err})
	f.finishLeaving()
	return nil
}

// replaced reports whether a producer has replaced a segment.
func replaced(seg *shm.Segment) (is bool) {
	_ = shm.Guard(func() error { is = seg.Header().ProducerStats.Replace.Load() != 0; return nil })
	return is
}

// finishLeaving closes the rings whose stream is over and of which nothing is held any more.
func (f *fanIn[R]) finishLeaving() {
	f.leaving = slices.DeleteFunc(f.leaving, func(l leaving[R]) bool {
		if l.end.Held() > 0 {
			return false
		}
		if f.opt.OnLeave != nil {
			f.opt.OnLeave(l.source, l.err)
		}
		err := errors.Join(l.err, l.end.Close())
		if err != nil && !f.opt.Follow {
			f.errs = append(f.errs, err)
		}
		f.mu.Lock()
		f.sources = slices.DeleteFunc(f.sources, func(s *Source) bool { return s == l.source })
		f.mu.Unlock()
		if r := f.namedRing(l.source.name); r != nil {
			r.in = false
		}
		f.changed.Store(true) // the next producer may have been there before this end was closed
		return true
	})
}

func (f *fanIn[R]) namedRing(name string) *namedRing {
	if i := slices.IndexFunc(f.named, func(r *namedRing) bool { return r.name == name }); i >= 0 {
		return f.named[i]
	}
	return nil
}

// retryAfter is the time between two attempts to join a segment that is there and cannot be
// joined now. Without a watch it is the time between two looks for new ones too.
const retryAfter = time.Second

// join joins the rings that are there and have not joined. An error is about a ring that is
// named, or, at the start, about a transfer that a pattern matches.
func (f *fanIn[R]) join(ctx context.Context, starting bool) error {
	f.changed.Store(false)
	again := f.watcher == nil
	var errs []error
	for _, r := range f.named {
		if r.in || r.done {
			continue
		}
		switch err := f.add(ctx, r.name); {
		case err == nil:
			r.in = true
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if len(f.patterns) > 0 {
		names, err := shm.List()
		if err != nil {
			return err
		}
		for _, name := range names {
			if !slices.ContainsFunc(f.patterns, func(p string) bool { return shm.Match(p, name) }) || f.has(name) || f.namedRing(name) != nil {
				continue
			}
			err := f.addMatching(ctx, name)
			switch {
			case err == nil:
			case errors.Is(err, fs.ErrNotExist):
				delete(f.ended, name)
			case err == errNothingNew:
				again = true
			case starting && errors.Is(err, ErrMode), ctx.Err() != nil:
				return err
			default:
				again = true
				f.skip(name, err)
			}
		}
	}
	if again {
		f.retry.Reset(retryAfter)
	}
	return nil
}

func (f *fanIn[R]) has(name string) bool {
	return slices.ContainsFunc(f.sources, func(s *Source) bool { return s.name == name })
}

// skip tells of a segment that cannot join.
func (f *fanIn[R]) skip(name string, err error) {
	if f.skipped[name] != err.Error() {
		f.skipped[name] = err.Error()
		if f.opt.OnSkip != nil {
			f.opt.OnSkip(name, err)
		}
	}
}

// errNothingNew: the stream of a segment has ended, all of it was taken, and no other producer has
// come.
var errNothingNew = errors.New("nothing new")

// addMatching is add for a segment that is not named. It looks first: to take the role of another
// consumer, even for a moment, could keep that from starting.
func (f *fanIn[R]) addMatching(ctx context.Context, name string) error {
	view, err := shm.OpenView(name)
	if err != nil {
		return err
	}
	defer view.Close()
	if mode := view.Geometry().Mode; mode != ModeRing {
		return shm.InSegment(endpoint.OpOpen, name, fmt.Errorf("%w: %v, not ring", ErrMode, mode))
	}
	s, err := pressure.Observe(view)
	if err != nil {
		return err
	}
	if s.Consumer.Alive {
		return shm.InSegment(endpoint.OpOpen, name, ErrRoleTaken)
	}
	// A producer whose stream has ended may still be leaving.
	if f.ended[name] && s.Depth() == 0 && s.UntoldEnds == 0 && s.Consumer.EndSeen == s.Producer.Generation {
		return errNothingNew
	}
	return f.add(ctx, name)
}

// add takes the consumer's role in a ring.
func (f *fanIn[R]) add(ctx context.Context, name string) error {
	seg, err := shm.Open(ctx, name, layout.Consumer, f.opt.Access, shm.Populate(f.opt.Populate))
	if err != nil {
		return err
	}
	if mode := seg.Geometry().Mode; mode != ModeRing {
		err := fmt.Errorf("%w: %v, not ring", ErrMode, mode)
		_, leaveErr := seg.Leave(func() bool { return false })
		return shm.InSegment(endpoint.OpOpen, name, err, leaveErr)
	}
	s := &Source{name: name, weight: 1, released: f.finishLeaving}
	var missed func(n uint64)
	if f.opt.OnMissed != nil {
		missed = func(n uint64) { f.opt.OnMissed(s, n) }
	}
	end, err := f.open(seg, ring.ReaderOptions{
		Spin: f.opt.Spin, Keep: f.opt.Keep, Access: f.opt.Access, Populate: f.opt.Populate,
		Replaceable: layout.ReplaceableByMode, OnMissed: missed,
	})
	if err != nil {
		return err
	}
	s.end = end
	if f.opt.Weight != nil {
		if s.weight = f.opt.Weight(name); s.weight < 1 || s.weight > ring.MaxWeight {
			err := fmt.Errorf("%w: weight %d: want 1 to %d", ErrOption, s.weight, ring.MaxWeight)
			return errors.Join(shm.InSegment(endpoint.OpOpen, name, err), end.Close())
		}
	}
	f.group.Add(end, s, s.weight) // before Close can know of the end
	f.mu.Lock()
	closed := f.closed
	if !closed {
		f.sources = append(f.sources, s)
	}
	f.mu.Unlock()
	if closed {
		return cmp.Or(end.Close(), ErrClosed)
	}
	f.joined = true
	delete(f.skipped, name)
	delete(f.ended, name)
	if f.opt.OnJoin != nil {
		f.opt.OnJoin(s)
	}
	return nil
}

// Ready returns a channel that is closed when a call for the next message need not wait: that of
// [ring.Reader.Ready], for all rings together. A segment that has appeared, and may join, closes it
// too.
func (f *fanIn[R]) Ready() <-chan struct{} {
	f.gate.Enter()
	defer f.gate.Leave()
	if f.look(context.Background()) != nil {
		return closedChannel
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

// closedChannel is that of a FanIn whose calls return an error.
var closedChannel = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Release gives back every message that is held, as [Consumer].Release does.
func (f *fanIn[R]) Release() {
	for _, s := range f.held {
		s.end.Release()
	}
	f.held = f.held[:0]
	if len(f.leaving) > 0 {
		f.finishLeaving()
	}
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
// that of a [Consumer], and returns an error for each ring that has one, joined.
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
	if f.gate.Wait(gate.CloseTimeout) {
		f.group.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	var errs []error
	for _, s := range f.sources {
		errs = append(errs, s.end.Close())
	}
	return errors.Join(errs...)
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
