package sluice

import (
	"context"
	"fmt"

	"sluice/ring"
)

// FanOutOf is a [FanOut] of values of type T, in rings of fixed slots. Make one with
// [CreateFanOutOf]; a consumer is one of [OpenOf].
type FanOutOf[T any] struct {
	fanOut[*ring.WriterOf[T]]
}

// CreateFanOutOf is [CreateFanOut] for rings of fixed slots that hold values of type T, which
// [CreateOf] describes. FanOutOptions.SlotSize stays 0.
func CreateFanOutOf[T any](ctx context.Context, to []Destination, opt FanOutOptions) (*FanOutOf[T], error) {
	if opt.SlotSize != 0 {
		return nil, fmt.Errorf("create a fan-out: %w: SlotSize is that of the type", ErrOption)
	}
	f := new(FanOutOf[T])
	err := f.create(to, opt, func(name string, with ring.WriterOptions) (*ring.WriterOf[T], error) {
		return ring.CreateOf[T](ctx, name, with)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Push publishes a copy of v in every ring. It waits and fails as [FanOut.Send] does.
func (f *FanOutOf[T]) Push(ctx context.Context, v T) (err error) {
	for _, w := range f.waits {
		if err := w.AwaitRoom(ctx); err != nil {
			return err
		}
	}
	for _, w := range f.ends {
		if e := w.Push(background, v); e != nil && e != ErrDropped {
			err = f.failed(err, e)
		}
	}
	if err != ErrClosed {
		f.sent++
	}
	return err
}

// PushAll is Push of several, published as many at a time as there is room for. It returns how
// many, the first ones, were sent before an error.
func (f *FanOutOf[T]) PushAll(ctx context.Context, vs []T) (sent int, err error) {
	for sent < len(vs) && err == nil {
		part := vs[sent:]
		for _, w := range f.waits {
			n, err := w.Room(ctx, len(part))
			if err != nil {
				return sent, err
			}
			part = part[:n]
		}
		for _, w := range f.ends {
			if _, e := w.Offer(part); e != nil && e != ErrDropped {
				err = f.failed(err, e)
			}
		}
		if err != ErrClosed {
			sent += len(part)
			f.sent += uint64(len(part))
		}
	}
	return sent, err
}
