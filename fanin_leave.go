package sluice

import (
	"errors"
	"io"
	"slices"
	"time"

	"sluice/internal/replace"
)

// leaving is a ring whose stream is over, and of which messages are still held.
type leaving[R fanInEnd] struct {
	source   *Source
	end      R
	err      error // of the end, nil if it was complete
	replaced bool  // err says only that: the stream goes on in the next segment
}

// failure returns err if that is one of the caller's.
func (l leaving[R]) failure() error {
	if l.replaced {
		return nil
	}
	return l.err
}

// leftRing is a segment that was left, and may still be there: it does not join again as it is.
type leftRing struct {
	inode    uint64
	over     bool      // its stream has ended: it joins when another one has begun
	until    time.Time // else: it does not join before that; the zero Time is never
	replaced bool      // a producer was about to make another segment of its name
}

// check decides on an error of a ring, after which it leaves: nil when the others go on.
func (f *fanIn[R]) check(e *fanInEntry[R], err error) error {
	switch {
	case err == ErrEmpty:
		return nil
	case errors.Is(err, ErrUnreleased), err == ErrClosed:
		return err
	}
	f.gate.Enter()
	defer f.gate.Leave()
	if f.gate.Closed() {
		return ErrClosed
	}
	return f.leave(e, err)
}

// leave takes a ring out, within the gate. It returns an error of the caller's.
func (f *fanIn[R]) leave(e *fanInEntry[R], err error) error {
	if errors.Is(err, ErrUnreleased) {
		return err
	}
	f.group.Remove(e)
	left := &leftRing{inode: e.Owner.inode}
	switch {
	case errors.Is(err, ErrRemoved) && replace.Done(e.Reader.Segment()):
		left.replaced, left.until = true, time.Now().Add(retryAfter)
		f.retry.Reset(retryAfter)
	case err == io.EOF:
		left.over, err = true, nil
	case errors.Is(err, ErrIncomplete):
		left.over = true
	case f.opt.Follow:
		left.until = time.Now().Add(retryAfter)
	}
	f.left[e.Owner.name] = left
	if r := f.byName(e.Owner.name); r != nil {
		r.done = !left.replaced && !f.opt.Follow
	}
	f.leaving = append(f.leaving, leaving[R]{e.Owner, e.Reader, err, left.replaced})
	f.finishLeaving()
	return nil
}

// awaitsReplacement reports whether a segment was left because another one was about to take its
// place, which has not come yet.
func (f *fanIn[R]) awaitsReplacement() bool {
	for _, l := range f.left {
		if l.replaced && time.Now().Before(l.until) {
			return true
		}
	}
	return false
}

// released is called when messages were released.
func (f *fanIn[R]) released() {
	if len(f.leaving) == 0 {
		return
	}
	f.gate.Enter()
	defer f.gate.Leave()
	if !f.gate.Closed() {
		f.finishLeaving()
	}
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
		if err := l.end.Close(); f.opt.Follow {
			f.closes.add(err)
		} else {
			f.ends.add(errors.Join(l.failure(), err))
		}
		f.mu.Lock()
		f.sources = slices.DeleteFunc(f.sources, func(s *Source) bool { return s == l.source })
		f.mu.Unlock()
		f.held = slices.DeleteFunc(f.held, func(s *Source) bool { return s == l.source })
		if r := f.byName(l.source.name); r != nil {
			r.in = false
		}
		f.changed.Store(true) // the next producer may have been there before this end was closed
		return true
	})
}
