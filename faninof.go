package sluice

import (
	"context"
	"fmt"
	"reflect"

	"sluice/layout"
	"sluice/ring"
)

// FanInOf is a [FanIn] over rings of fixed slots that hold values of type T: see [ConsumerOf].
// Make one with [OpenFanInOf].
type FanInOf[T any] struct {
	fanIn[*ring.ReaderOf[T]]
	size int // of a value
}

// OpenFanInOf is [OpenFanIn] for rings of fixed slots that hold values of type T, as [OpenOf] has
// them. Another ring is ErrType: of those that a pattern matches, FanInOptions.OnSkip is told.
func OpenFanInOf[T any](ctx context.Context, names []string, opt FanInOptions) (*FanInOf[T], error) {
	t := reflect.TypeFor[T]()
	if _, err := layout.TypeText(t); err != nil {
		return nil, fmt.Errorf("open a fan-in: %w: type %w", ErrOption, err)
	}
	f := &FanInOf[T]{size: int(t.Size())}
	if err := f.start(ctx, names, opt, ring.OpenSegmentOf[T]); err != nil {
		return nil, err
	}
	return f, nil
}

// Next returns the next value in its slot, and the ring that it is from. It is valid until it is
// released, and not to be written to. It waits and fails as [FanIn.Next] does.
func (f *FanInOf[T]) Next(ctx context.Context) (*T, *Source, error) {
	for {
		e, err := f.choose(ctx)
		if err != nil {
			return nil, nil, err
		}
		switch v, err := f.take(e); {
		case err != nil:
			return nil, nil, err
		case v != nil:
			return v, e.Owner, nil
		}
	}
}

// TryNext is Next that never waits: [ErrEmpty] when there is no value now.
func (f *FanInOf[T]) TryNext() (*T, *Source, error) {
	for {
		e, err := f.tryChoose()
		if err != nil {
			return nil, nil, err
		}
		switch v, err := f.take(e); {
		case err != nil:
			return nil, nil, err
		case v != nil:
			return v, e.Owner, nil
		}
	}
}

// take takes a value from a ring; nil if that has none.
func (f *FanInOf[T]) take(e *fanInEntry[*ring.ReaderOf[T]]) (*T, error) {
	v, err := e.Reader.TryNext()
	if err != nil {
		return nil, f.check(e, err)
	}
	e.Spend(1, f.size)
	f.took(e.Owner)
	return v, nil
}

// Pop returns a copy of the next value and releases it, with all that is held. It waits and fails
// as Next does, and then returns the zero value.
func (f *FanInOf[T]) Pop(ctx context.Context) (v T, from *Source, err error) {
	p, from, err := f.Next(ctx)
	if err != nil {
		return v, nil, err
	}
	v = *p
	f.Release()
	return v, from, nil
}

// Window returns the next values of one ring that are there and lie in a row, at least one and at
// most most, and no more than the turn of the ring has left or an eighth of its slots. They are
// ring memory: valid until they are released, and not to be written to. It waits and fails as Next
// does. It panics when most is less than 1.
func (f *FanInOf[T]) Window(ctx context.Context, most int) ([]T, *Source, error) {
	for {
		e, err := f.choose(ctx)
		if err != nil {
			return nil, nil, err
		}
		values, err := e.Reader.TryWindow(min(most, max(1, e.Budget()/(f.size+overhead)), e.Owner.maxMessages))
		if err == nil {
			e.Spend(len(values), len(values)*f.size)
			f.took(e.Owner)
			return values, e.Owner, nil
		}
		if err := f.check(e, err); err != nil {
			return nil, nil, err
		}
	}
}
