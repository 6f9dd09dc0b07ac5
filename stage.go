package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/internal/endpoint"
	"sluice/internal/format"
	"sluice/layout"
)

// Stage is the loop of a program that consumes from one segment and produces into another, so
// that a chain of programs holds back from its end to its beginning, and loses nothing when one
// of them is killed. It calls work for each message of in, in order, until the stream of in ends.
// work sends to out what it makes of the message, by any calls of out: nothing, one message or
// several. It may use msg until it returns.
//
//	err := sluice.Stage(ctx, in, out, func(msg []byte) error {
//		if len(msg) == 0 {
//			return nil // a filter
//		}
//		return out.Send(ctx, bytes.ToUpper(msg))
//	})
//
// A message is released only when its results are safe. In a ring that is when they are published:
// Stage publishes what work has committed, and holds one message at a time. The queue of a
// transfer is lost with its producer, so there Stage waits until the consumer of out has released
// the results: it holds what in has ready, up to 256 messages and a quarter of a ring, and then
// drains out. After a kill at any moment the messages that were held come again, and so do those
// of their results that were out already: of a ring the results of one message. Nothing is lost,
// and the order is that of in. (The consumer of a transfer whose producer was killed is told all
// the same that messages were lost: those that had been sent and come again.)
//
// Stage returns nil at the end of a complete stream. Otherwise it returns the error:
// [ErrIncomplete] of in, the cause of ctx (also between two calls of work, never within one),
// whatever else [Consumer].Next returns, an error of work, or that of a Drain of out. A message
// whose work has failed is not released: the next consumer gets it, and this one is to be closed.
// [ErrDropped] of work is no error: out has counted the message that it gives up by its policy.
//
// Stage calls out.EndAs, so that a stream that is not complete does not become one on its way: out
// ends as in has ended, as [EndStopped] when ctx is done or an end was closed, and as [EndFailed]
// after another error, or when the producer of in has disconnected this stage: it was too slow, and
// not the consumer of out. Close out before in: a stage that is killed between the two is told the
// end of in again.
//
// The goroutine that calls it uses both ends; Close of either from another one ends it
// with [ErrClosed]. It panics when in holds messages.
func Stage(ctx context.Context, in Consumer, out Producer, work func(msg []byte) error) error {
	if n := in.Held(); n > 0 {
		panic(fmt.Sprintf("sluice: Stage with a Consumer that holds %s", format.Messages(uint64(n))))
	}
	return endStage(ctx, out, func() error {
		if out.Segment().Geometry().Mode == ModeTransfer {
			return stageDelivered(ctx, in, out, work)
		}
		for ctx.Err() == nil { // Next looks at it only when it has to wait
			msg, err := in.Next(ctx)
			if err != nil {
				return unlessEOF(err)
			}
			if err := work(msg); err != nil && !errors.Is(err, ErrDropped) {
				return err
			}
			// Not Flush, which has no error: of an out that was aborted meanwhile, what work has
			// committed is lost.
			if _, err := out.SendBatch(ctx, nil); err != nil {
				return err
			}
			in.Release()
		}
		return context.Cause(ctx)
	})
}

// The most that a stage into a transfer holds while its results are on their way. A quarter of a
// ring leaves its producer room to go on meanwhile.
const (
	maxStageHeld  = 256
	stageHeldPart = 4
)

// stageDelivered is the loop of Stage for an out whose queue is lost with this process.
func stageDelivered(ctx context.Context, in Consumer, out Producer, work func([]byte) error) error {
	most := uint64(maxStageHeld << 10)
	if g := in.Segment().Geometry(); g.Mode == ModeRing {
		most = g.Capacity / stageHeldPart
	}
	bytes := uint64(0) // that are held
	for ctx.Err() == nil {
		// A Next that had to wait while messages are held could wait for ever: their room may be
		// what the producer of in waits for.
		if n := in.Held(); n > 0 && (n == maxStageHeld || bytes >= most || !in.Buffered()) {
			if err := out.Drain(ctx); err != nil {
				return err
			}
			in.Release()
			bytes = 0
		}
		msg, err := in.Next(ctx)
		if err != nil {
			return unlessEOF(err)
		}
		if err := work(msg); err != nil && !errors.Is(err, ErrDropped) {
			return err
		}
		bytes += uint64(len(msg))
	}
	return context.Cause(ctx)
}

// StageOf is [Stage] for values of one type, in rings of fixed slots: work gets each value in its
// slot. It sends its results with Push or PushAll, or with Slot and Publish.
func StageOf[I, O any](ctx context.Context, in *ConsumerOf[I], out *ProducerOf[O], work func(v *I) error) error {
	if n := in.Held(); n > 0 {
		panic(fmt.Sprintf("sluice: StageOf with a ConsumerOf that holds %s", format.Messages(uint64(n))))
	}
	return endStage(ctx, out, func() error {
		for ctx.Err() == nil {
			v, err := in.Next(ctx)
			if err != nil {
				return unlessEOF(err)
			}
			if err := work(v); err != nil && !errors.Is(err, ErrDropped) {
				return err
			}
			// Publish has no error: what it has published is lost if out was closed before.
			if _, err := out.TrySlot(); err != nil && !errors.Is(err, ErrFull) {
				return err
			}
			in.Release()
		}
		return context.Cause(ctx)
	})
}

// endStage runs the loop of a stage, and says how out ends: as stopped while it runs, for a Close
// of another goroutine, and as failed when work panics.
func endStage(ctx context.Context, out interface{ EndAs(End) }, loop func() error) error {
	out.EndAs(EndStopped)
	end := EndFailed
	defer func() { out.EndAs(end) }()
	err := loop()
	end = stageEnd(ctx, err)
	return err
}

// unlessEOF returns an error of Next, nil at the end of a complete stream. An io.EOF of work is
// another thing.
func unlessEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// stageEnd returns how out ends when a stage has ended with err.
func stageEnd(ctx context.Context, err error) End {
	switch end := endpoint.EndOf(err); end {
	case layout.EndNone:
	case EndDisconnected: // of this stage, which was too slow, not of the consumer of out
		return EndFailed
	default:
		return end
	}
	if errors.Is(err, ErrClosed) || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return EndStopped
	}
	return EndFailed
}
