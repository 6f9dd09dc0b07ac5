// Package sink has the destinations of a consumer's messages: a check, a file or standard output.
package sink

import (
	"context"
	"errors"
	"time"

	"sluice"
	"sluice/internal/ratelimit"
	"sluice/ring"
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
	hold := lim.HoldMessages
	if lim.Rate != nil || lim.Work > 0 {
		hold = 1
	}
	take := take
	if _, ok := from.(*ring.SlotReader); ok && hold > 1 {
		take = takeSlots
	}
	held := make([][]byte, hold)
	for taken := uint64(0); lim.Count == 0 || taken < lim.Count; taken += uint64(len(held)) {
		if ctx.Err() != nil { // Next checks it only when it has to wait
			return context.Cause(ctx)
		}
		if err := lim.Rate.Wait(ctx); err != nil {
			return err
		}
		if lim.Count > 0 {
			hold = int(min(uint64(hold), lim.Count-taken))
		}
		var nextErr error
		held, nextErr = take(ctx, from, held[:hold], lim.HoldBytes)
		if len(held) > 0 {
			ratelimit.Work(ctx, lim.Work)
			if err := into.Write(held); err != nil {
				return err
			}
			from.Release()
		}
		if nextErr != nil {
			return nextErr
		}
	}
	return nil
}

// take waits for a message, and takes it with those that are buffered behind it: as many as into
// has room for, and no more once they have most bytes. It returns what it took with an error too.
func take(ctx context.Context, from sluice.Consumer, into [][]byte, most int) ([][]byte, error) {
	bytes := 0
	for i := range into {
		if i > 0 && (bytes >= most || !from.Buffered()) {
			return into[:i], nil
		}
		msg, err := from.Next(ctx)
		if err != nil {
			return into[:i], err
		}
		into[i], bytes = msg, bytes+len(msg)
	}
	return into, nil
}

// takeSlots is take of fixed slots: those that lie in a row.
func takeSlots(ctx context.Context, from sluice.Consumer, into [][]byte, most int) ([][]byte, error) {
	r := from.(*ring.SlotReader)
	size := int(r.Segment().Geometry().SlotSize)
	slots, err := r.Window(ctx, max(1, min(len(into), most/size)))
	n := len(slots) / size
	for i := range into[:n] {
		into[i] = slots[:size:size]
		slots = slots[size:]
	}
	return into[:n], err
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
