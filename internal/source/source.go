// Package source has the sources of a producer's messages: a generator, and a file or standard
// input that is split into messages.
package source

import (
	"context"
	"errors"
	"io"

	"sluice"
	"sluice/internal/payload"
	"sluice/ring"
)

// Limits are how fast and for how long messages are sent.
type Limits struct {
	Count uint64 // messages; 0 = no limit
	Pace  Pace
	Batch Batch // of input; zero = each message by itself
}

// Batch bounds how much is sent with one publish: at most so many messages, and no more once they
// have so many bytes. It is sent sooner where more must be waited for.
type Batch struct{ Messages, Bytes int }

// Pace says when messages may be sent. A *ratelimit.Limiter sleeps, and lets a producer that was
// held back slow down; an *OpenLoop does not.
type Pace interface {
	// Wait waits until the next message may be sent, or returns the cause of ctx. A message that
	// need not wait may cost no look at ctx.
	Wait(ctx context.Context) error
	// BeforeSleep sets a function that Wait calls before it sleeps.
	BeforeSleep(fn func())
	// Unlimited reports whether Wait does nothing, so that it need not be called for each message.
	Unlimited() bool
}

// Generate sends messages of size bytes with sequence numbers from seq on, until the limit is
// reached, or ctx is done (its cause is returned). A dropped message is a gap in the sequence.
func Generate(ctx context.Context, to sluice.Producer, seq uint64, size int, lim Limits) error {
	lim.Pace.BeforeSleep(to.Flush)
	checkEvery := max(1, min(1024, (1<<20)/uint64(size))) // messages, at most a MiB
	for sent := uint64(0); lim.Count == 0 || sent < lim.Count; sent++ {
		// Reserve checks ctx only when it has to wait.
		if sent%checkEvery == 0 && ctx.Err() != nil {
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

// Cutter splits input into messages.
type Cutter interface {
	// next sends the next message and, as far as they are read, some behind it; most bounds them.
	// It returns how many it sent or the full queue dropped: at least one, or an error, io.EOF at
	// the end of the input. It does not reserve space before it knows that there is a message: at
	// the end of the input it must not wait for space.
	next(ctx context.Context, to sluice.Producer, most Batch) (int, error)
	// counter returns a count of the messages of a regular file, which reads ahead of next.
	counter() *counter
}

// Copy splits the input with cut and sends the messages, until the input ends, the limit is
// reached, or ctx is done (its cause is returned). A message dropped by a full ring is skipped.
func Copy(ctx context.Context, to sluice.Producer, in *Input, cut Cutter, lim Limits) error {
	in.beforeWait = to.Flush
	lim.Pace.BeforeSleep(to.Flush)
	most := Batch{1, 1}
	if lim.Pace.Unlimited() && lim.Batch != (Batch{}) {
		most = lim.Batch
	}
	for sent := uint64(0); lim.Count == 0 || sent < lim.Count; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := lim.Pace.Wait(ctx); err != nil {
			return err
		}
		if lim.Count > 0 {
			most.Messages = int(min(uint64(most.Messages), lim.Count-sent))
		}
		switch n, err := cut.next(ctx, to, most); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		default:
			sent += uint64(n)
		}
	}
	return nil
}
