// Package sink has the destinations of a consumer's messages: a check, a file or standard output.
package sink

import (
	"context"
	"errors"
	"time"

	"sluice"
	"sluice/internal/ratelimit"
)

// Sink receives messages.
type Sink interface {
	// Write processes messages, which are valid until it returns. When it returns nil, they are
	// released; after an error they are not, and the next consumer receives them again.
	Write(msgs [][]byte) error
	// Close closes the Sink.
	Close() error
}

// Limits are how fast and for how long messages are received.
type Limits struct {
	Count uint64 // messages; 0 = no limit
	Rate  *ratelimit.Limiter
	Work  time.Duration // spent on each message

	// HoldBytes and HoldMessages bound what is held before it is written and released together;
	// HoldMessages is at least 1.
	HoldBytes, HoldMessages int
}

// Drain moves messages into the sink until the limit is reached (nil), or returns the error of
// the consumer, of the Sink, or the cause of ctx. It holds several messages only while more are
// waiting and there is no Rate or Work: a slow consumer releases each message at once, so that
// the producer is not blocked by messages that are already processed.
func Drain(ctx context.Context, from sluice.Consumer, into Sink, lim Limits) error {
	next := func(ctx context.Context, msgs [][]byte, most int) (int, Sink, error) {
		n, err := from.NextBatch(ctx, msgs, most)
		return n, into, err
	}
	return drain(ctx, next, from.Release, func(s Sink, msgs [][]byte) error { return s.Write(msgs) }, lim)
}

// Batches yields messages of several sources: each time of one of them, as
// [sluice.Consumer].NextBatch does.
type Batches[S any] interface {
	NextBatch(ctx context.Context, msgs [][]byte, most int) (int, S, error)
	Release()
}

// DrainFrom is [Drain] of several sources. write is the Write of a Sink, for messages of one.
func DrainFrom[S any](ctx context.Context, from Batches[S], write func(from S, msgs [][]byte) error, lim Limits) error {
	return drain(ctx, from.NextBatch, from.Release, write, lim)
}

func drain[S any](ctx context.Context, next func(context.Context, [][]byte, int) (int, S, error), release func(), write func(S, [][]byte) error, lim Limits) error {
	hold := lim.HoldMessages
	if lim.Rate != nil || lim.Work > 0 {
		hold = 1
	}
	msgs := make([][]byte, hold)
	for taken := uint64(0); lim.Count == 0 || taken < lim.Count; {
		if ctx.Err() != nil { // next checks it only when it has to wait
			return context.Cause(ctx)
		}
		if err := lim.Rate.Wait(ctx); err != nil {
			return err
		}
		if lim.Count > 0 {
			msgs = msgs[:min(uint64(len(msgs)), lim.Count-taken)]
		}
		n, from, nextErr := next(ctx, msgs, lim.HoldBytes)
		if n > 0 {
			ratelimit.Work(ctx, lim.Work)
			if err := write(from, msgs[:n]); err != nil {
				return err
			}
			release()
			taken += uint64(n)
		}
		if nextErr != nil {
			return nextErr
		}
	}
	return nil
}

// Sinks passes each message to all of its sinks; an empty Sinks discards it.
type Sinks []Sink

// Write passes msgs to the sinks in order until one fails.
func (all Sinks) Write(msgs [][]byte) error {
	for _, s := range all {
		if err := s.Write(msgs); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all sinks and joins their errors.
func (all Sinks) Close() error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
