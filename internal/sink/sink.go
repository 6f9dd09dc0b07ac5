// Package sink has the destinations of a consumer's messages: a check, a file or standard output.
package sink

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sluice"
	"sluice/internal/ratelimit"
)

// Sink receives messages.
type Sink interface {
	// Put adds a message, which stays valid until Flush has returned.
	Put(msg []byte) error
	// Flush processes all messages put. When it returns nil, they are released; after an
	// error they are not, and the next consumer receives them again.
	Flush() error
	// Close closes the Sink.
	Close() error
}

// Limits are how fast and for how long messages are received.
type Limits struct {
	Count uint64 // messages; 0 = no limit
	Rate  *ratelimit.Limiter
	Work  time.Duration // spent on each message

	// HoldBytes and HoldMessages bound what is held before it is flushed
	// and released together.
	HoldBytes, HoldMessages int
}

// Drain moves messages into the sink until the limit is reached (nil), or returns the error of
// the consumer, of the Sink, or the cause of ctx. It holds several messages only while more are
// waiting and there is no Rate or Work: a slow consumer releases each message at once, so that
// the producer is not blocked by messages that are already processed.
func Drain(ctx context.Context, from sluice.Consumer, into Sink, lim Limits) error {
	slow := lim.Rate != nil || lim.Work > 0
	held, bytes, untilCheck := 0, 0, 0
	for taken := uint64(0); lim.Count == 0 || taken < lim.Count; taken++ {
		// Next checks ctx only when it has to wait.
		if untilCheck -= 1; untilCheck <= 0 || slow {
			untilCheck = 1024
			if ctx.Err() != nil {
				return cmp.Or(flush(from, into), context.Cause(ctx))
			}
		}
		if err := lim.Rate.Wait(ctx); err != nil {
			return err
		}
		msg, err := from.Next(ctx)
		if err != nil {
			return cmp.Or(flush(from, into), err)
		}
		ratelimit.Work(ctx, lim.Work)
		if err := into.Put(msg); err != nil {
			return err
		}
		held, bytes, untilCheck = held+1, bytes+len(msg), untilCheck-len(msg)/1024 // at least each MiB
		if slow || held >= lim.HoldMessages || bytes >= lim.HoldBytes || !from.Buffered() {
			if err := flush(from, into); err != nil {
				return err
			}
			held, bytes = 0, 0
		}
	}
	return flush(from, into)
}

func flush(from sluice.Consumer, into Sink) error {
	if err := into.Flush(); err != nil {
		return err
	}
	from.Release()
	return nil
}

// Sinks passes each message to all of its sinks; an empty Sinks discards it.
type Sinks []Sink

// Put passes msg to the sinks in order until one fails.
func (all Sinks) Put(msg []byte) error {
	for _, s := range all {
		if err := s.Put(msg); err != nil {
			return err
		}
	}
	return nil
}

// Flush flushes the sinks in order until one fails.
func (all Sinks) Flush() error {
	for _, s := range all {
		if err := s.Flush(); err != nil {
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
