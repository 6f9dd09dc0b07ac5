// Package sink is where a consumer's messages go: nowhere, through a check, or
// into a file or standard output.
package sink

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sluice"
	"sluice/internal/ratelimit"
)

// Sink takes messages.
type Sink interface {
	// Put takes a message, which stays valid until Flush has returned.
	Put(msg []byte) error
	// Flush is done with all messages when it returns nil. They are given back
	// then; after an error they are not, and come again to the next consumer.
	Flush() error
	// Close ends it. The error may be a verdict on all messages.
	Close() error
}

// Limits says how fast and for how long messages are taken.
type Limits struct {
	Count uint64 // messages; 0 = no limit
	Pace  *ratelimit.Pace
	Work  time.Duration // spent on each message

	// HoldBytes and HoldMessages bound what is held before it is flushed
	// and released together.
	HoldBytes, HoldMessages int
}

// Drain moves messages into the sink until the limit is reached, or with the
// error of the consumer, the Sink, or the cause of ctx. It holds several only
// while more are waiting and no message takes time: a slow consumer gives every
// one back at once, so that the pressure it makes is where it belongs.
func Drain(ctx context.Context, from sluice.Consumer, into Sink, lim Limits) error {
	slow := lim.Pace != nil || lim.Work > 0
	held, bytes, unseen := 0, 0, 0
	for taken := uint64(0); lim.Count == 0 || taken < lim.Count; taken++ {
		// Next looks at ctx only when it has to wait.
		if unseen -= 1; unseen <= 0 || slow {
			unseen = 1024
			if ctx.Err() != nil {
				return cmp.Or(flush(from, into), context.Cause(ctx))
			}
		}
		if err := lim.Pace.Wait(ctx); err != nil {
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
		held, bytes, unseen = held+1, bytes+len(msg), unseen-len(msg)/1024 // or a MiB
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

// Sinks gives every message to all of its sinks; without any, messages are
// discarded.
type Sinks []Sink

// Put gives msg to the sinks in turn until one fails.
func (all Sinks) Put(msg []byte) error {
	for _, s := range all {
		if err := s.Put(msg); err != nil {
			return err
		}
	}
	return nil
}

// Flush flushes the sinks in turn until one fails.
func (all Sinks) Flush() error {
	for _, s := range all {
		if err := s.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all sinks and returns what they have to say at the end.
func (all Sinks) Close() error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
