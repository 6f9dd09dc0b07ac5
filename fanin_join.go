package sluice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sluice/internal/endpoint"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
)

// namedRing is a ring that the caller has named.
type namedRing struct {
	name string
	in   bool // it has joined
	done bool // it was left, and does not join again
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
func (f *fanIn[R]) wants(name string) bool { return f.byName(name) != nil || f.matches(name) }

func (f *fanIn[R]) matches(name string) bool {
	return slices.ContainsFunc(f.patterns, func(p string) bool { return shm.Match(p, name) })
}

func (f *fanIn[R]) byName(name string) *namedRing {
	if i := slices.IndexFunc(f.named, func(r *namedRing) bool { return r.name == name }); i >= 0 {
		return f.named[i]
	}
	return nil
}

// notice makes the next call look for rings that join. Any goroutine may call it.
func (f *fanIn[R]) notice() {
	f.changed.Store(true)
	f.group.Interrupt()
}

// retryAfter is the time between two attempts to join a segment that is there and cannot be
// joined now. Without a watch it is the time between two looks for new ones too.
const retryAfter = time.Second

// maxJoin is how long all rings that join in one call wait for other processes that join or leave
// them, which takes some 0.1 ms: one that is stopped meanwhile must not hold up the other rings.
const maxJoin = 10 * time.Millisecond

var errJoinLock = fmt.Errorf("it takes longer than %v", maxJoin)

// join joins the rings that are there and have not joined. An error is about rings that are named,
// and new, or, at the start, about a transfer that a pattern matches.
func (f *fanIn[R]) join(ctx context.Context, starting bool) error {
	f.changed.Store(false)
	f.locked = false
	locking, cancel := context.WithTimeoutCause(ctx, maxJoin, errJoinLock)
	defer cancel()
	again := f.watcher == nil
	var errs []error
	for _, r := range f.named {
		if r.in || r.done {
			continue
		}
		err := f.addNamed(ctx, locking, r.name)
		switch {
		case err == nil:
			r.in = true
			continue
		case errors.Is(err, fs.ErrNotExist):
			delete(f.skipped, r.name)
			continue
		case err == errNothingNew:
		case errors.Is(err, errJoinLock):
			f.skip(r.name, err)
		case ctx.Err() != nil:
			errs = append(errs, err)
		case f.isNew(r.name, err):
			errs = append(errs, err)
		}
		again = true
	}
	if len(f.patterns) > 0 && !(starting && len(errs) > 0) {
		later, err := f.joinMatching(ctx, locking, starting)
		if err != nil {
			errs = append(errs, err)
		}
		again = again || later || err != nil
	}
	if again {
		f.retry.Reset(retryAfter)
	}
	return errors.Join(errs...)
}

// joinMatching joins the rings that patterns match. later says that there are some that cannot join
// now.
func (f *fanIn[R]) joinMatching(ctx, locking context.Context, starting bool) (later bool, err error) {
	names, err := shm.List()
	if err != nil {
		return false, err
	}
	f.forget(names)
	for _, name := range names {
		if !f.matches(name) || f.has(name) || f.byName(name) != nil {
			continue
		}
		err := f.addMatching(ctx, locking, name)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case err == errNothingNew:
			later = true
		case starting && errors.Is(err, ErrMode), ctx.Err() != nil:
			return false, err
		default:
			later = true
			f.skip(name, err)
		}
	}
	return later, nil
}

func (f *fanIn[R]) has(name string) bool {
	return slices.ContainsFunc(f.sources, func(s *Source) bool { return s.name == name })
}

// forget forgets the segments that are not among those that there are.
func (f *fanIn[R]) forget(names []string) {
	there := func(name string) bool {
		_, ok := slices.BinarySearch(names, name)
		return ok
	}
	for name := range f.skipped {
		if !there(name) {
			delete(f.skipped, name)
		}
	}
	for name, l := range f.left {
		if !there(name) && !(l.replaced && time.Now().Before(l.until)) {
			delete(f.left, name)
		}
	}
}

// skip tells of a segment that cannot join.
func (f *fanIn[R]) skip(name string, err error) {
	f.locked = f.locked || errors.Is(err, errJoinLock)
	if f.isNew(name, err) && f.opt.OnSkip != nil {
		f.opt.OnSkip(name, err)
	}
}

// isNew reports whether err is another reason why the segment cannot join than before.
func (f *fanIn[R]) isNew(name string, err error) bool {
	is := f.skipped[name] != err.Error()
	f.skipped[name] = err.Error()
	return is
}

// errNothingNew: the segment was left before, and is as it was then.
var errNothingNew = errors.New("nothing new")

// addNamed is add for a segment that is named.
func (f *fanIn[R]) addNamed(ctx, locking context.Context, name string) error {
	if l := f.left[name]; l != nil && !l.over {
		view, err := shm.OpenView(name)
		if err != nil {
			return err
		}
		defer view.Close()
		if l.blocks(view) {
			return errNothingNew
		}
	}
	return f.add(ctx, locking, name)
}

// blocks reports whether the segment is the one that was left, and does not join yet.
func (l *leftRing) blocks(view *shm.View) bool {
	return view.Inode() == l.inode && (l.until.IsZero() || time.Now().Before(l.until))
}

// addMatching is add for a segment that is not named. It looks first: to take the role of another
// consumer, even for a moment, could keep that from starting.
func (f *fanIn[R]) addMatching(ctx, locking context.Context, name string) error {
	view, err := shm.OpenView(name)
	if err != nil {
		return err
	}
	defer view.Close()
	if err := view.CheckTrust(f.opt.Access); err != nil {
		return err // whatever it is: anybody can put a file there
	}
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
	if l := f.left[name]; l != nil && l.over && !f.opt.Follow {
		// A producer whose stream has ended may still be leaving.
		if view.Inode() == l.inode && s.Depth() == 0 && s.UntoldEnds == 0 && s.Consumer.EndSeen == s.Producer.Generation {
			return errNothingNew
		}
	} else if l != nil && !l.over && l.blocks(view) {
		return errNothingNew
	}
	return f.add(ctx, locking, name)
}

// add takes the consumer's role in a ring. locking bounds the wait for processes that join or leave
// it, ctx the time in which its memory is mapped.
func (f *fanIn[R]) add(ctx, locking context.Context, name string) error {
	s := &Source{name: name, weight: 1, released: f.released}
	if f.opt.Weight != nil {
		if s.weight = f.opt.Weight(name); s.weight < 1 || s.weight > ring.MaxWeight {
			err := fmt.Errorf("%w: weight %d: want 1 to %d", ErrOption, s.weight, ring.MaxWeight)
			return shm.InSegment(endpoint.OpOpen, name, err)
		}
	}
	seg, err := shm.Open(locking, name, layout.Consumer, f.opt.Access)
	if err != nil {
		return err
	}
	if mode := seg.Geometry().Mode; mode != ModeRing {
		err = fmt.Errorf("%w: %v, not ring", ErrMode, mode)
	} else if f.opt.Populate {
		err = seg.Populate(ctx)
	}
	if err != nil {
		_, leaveErr := seg.Leave(func() bool { return false })
		return shm.InSegment(endpoint.OpOpen, name, err, leaveErr)
	}
	s.inode = seg.Inode()
	s.maxBytes, s.maxMessages = endpoint.MaxHeld(seg.Geometry())
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
	delete(f.left, name)
	if f.opt.OnJoin != nil {
		f.opt.OnJoin(s)
	}
	return nil
}
