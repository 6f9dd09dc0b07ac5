// Package source is where a producer's messages come from: generated, or cut
// out of a file or standard input.
package source

import (
	"context"
	"errors"
	"io"

	"sluice"
	"sluice/internal/payload"
	"sluice/internal/ratelimit"
	"sluice/ring"
)

// Limits says how fast and for how long messages are sent.
type Limits struct {
	Count uint64 // messages; 0 = no limit
	Pace  *ratelimit.Pace
}

// Generate sends messages of size bytes with sequence numbers from seq on,
// until the limit is reached or ctx is done (its cause is returned). A message
// that a full ring dropped is a gap in the sequence.
func Generate(ctx context.Context, to sluice.Producer, seq uint64, size int, lim Limits) error {
	lim.Pace.BeforeSleep(to.Flush)
	look := max(1, min(1024, (1<<20)/uint64(size))) // messages, at most a MiB
	for sent := uint64(0); lim.Count == 0 || sent < lim.Count; sent++ {
		// The producer looks at ctx only when it has to wait.
		if sent%look == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := lim.Pace.Wait(ctx); err != nil {
			return err
		}
		buf, err := to.Reserve(ctx, size)
		if err == nil {
			payload.Fill(buf, seq+sent)
			to.Commit(size)
			to.Publish()
		} else if !errors.Is(err, ring.ErrDropped) {
			return err
		}
	}
	return nil
}

// Cutter takes input apart into messages.
type Cutter interface {
	// next sends the next message, or returns io.EOF. It looks whether there
	// is one before it asks for room.
	next(ctx context.Context, to sluice.Producer) error
}

// Copy sends the messages that cut finds in the input, until its end, the limit, or
// ctx is done (its cause is returned). A message that a full ring dropped is lost,
// as the policy says.
func Copy(ctx context.Context, to sluice.Producer, in *Input, cut Cutter, lim Limits) error {
	in.idle = to.Flush
	lim.Pace.BeforeSleep(to.Flush)
	for sent := uint64(0); lim.Count == 0 || sent < lim.Count; sent++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := lim.Pace.Wait(ctx); err != nil {
			return err
		}
		switch err := cut.next(ctx, to); {
		case err == nil, errors.Is(err, ring.ErrDropped):
		case err == io.EOF:
			return nil
		default:
			return err
		}
	}
	return nil
}
