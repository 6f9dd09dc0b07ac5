// Package source has the sources of a producer's messages: a generator, and a file or standard
// input that is split into messages.
package source

import (
	"context"
	"errors"
	"io"
	"time"

	"sluice"
	"sluice/internal/payload"
	"sluice/ring"
)

// Limits are how fast and for how long messages are sent.
type Limits struct {
	Count uint64 // messages; 0 = no limit
	Pace  Pace
	Batch Batch // zero = each message by itself
}

// Batch bounds how much is sent with one publish: at most so many messages, and no more once they
// have so many bytes. It is sent sooner where more must be waited for.
type Batch struct{ Messages, Bytes int }

// Pace says when messages may be sent. A *ratelimit.Limiter sleeps, and lets a producer that was
// held back slow down; an *OpenLoop does not.
type Pace interface {
	// Wait waits until the next message may be sent, or returns the cause of ctx. A message
	// that need not wait may cost no look at ctx.
	Wait(ctx context.Context) error
	// BeforeSleep sets a function that Wait calls before it sleeps.
	BeforeSleep(fn func())
	// Unlimited reports whether Wait does nothing, so that it need not be called for each
	// message.
	Unlimited() bool
}

// Sender is what messages are sent to: a sluice.Producer or a *sluice.FanOut. Its methods are those
// of a sluice.Producer.
type Sender interface {
	Send(ctx context.Context, msg []byte) error
	SendBatch(ctx context.Context, msgs [][]byte) (int, error)
	Reserve(ctx context.Context, n int) ([]byte, error)
	Commit(n int)
	Publish()
	Flush()
	SetDue(at time.Time)
}

// Generate sends messages of size bytes with sequence numbers from seq on, until the limit is
// reached, or ctx is done (its cause is returned). A dropped message is a gap in the sequence.
//
// Preconditions: size is the size of a slot if the Producer has fixed slots.
func Generate(ctx context.Context, to Sender, seq uint64, size int, lim Limits) error {
	lim.Pace.BeforeSleep(to.Flush)
	most := uint64(1)
	if lim.Pace.Unlimited() {
		most = max(1, uint64(min(lim.Batch.Messages, lim.Batch.Bytes/size)))
	}
	send := sendRecords
	switch to.(type) {
	case *ring.SlotWriter:
		send = sendSlots
	case *sluice.FanOut:
		send = newCopies(int(most), size).send
	}
	for sent := uint64(0); lim.Count == 0 || sent < lim.Count; {
		if ctx.Err() != nil { // a Producer looks at it only when it has to wait
			return context.Cause(ctx)
		}
		if err := lim.Pace.Wait(ctx); err != nil {
			return err
		}
		if lim.Count > 0 {
			most = min(most, lim.Count-sent)
		}
		n, err := send(ctx, to, seq+sent, int(most), size)
		if errors.Is(err, ring.ErrDropped) {
			n, err = n+1, nil
		}
		if err != nil {
			return err
		}
		sent += uint64(n)
	}
	return nil
}

// sendSlots sends at most most messages from number seq on together, as many as there is room for
// in a row, and returns how many.
func sendSlots(ctx context.Context, to Sender, seq uint64, most, size int) (int, error) {
	w := to.(*ring.SlotWriter)
	slots, err := w.Window(ctx, most)
	if err != nil {
		return 0, err
	}
	n := len(slots) / size
	payload.FillAll(slots, size, seq)
	w.PublishN(n)
	return n, nil
}

// sendRecords sends most messages from number seq on, each by itself. It returns how many were sent
// before an error.
func sendRecords(ctx context.Context, to Sender, seq uint64, most, size int) (int, error) {
	for n := range most {
		buf, err := to.Reserve(ctx, size)
		if err != nil {
			return n, err
		}
		payload.Fill(buf, seq+uint64(n))
		to.Commit(size)
		to.Publish()
	}
	return most, nil
}

// copies are messages that are generated once and copied into several rings.
type copies struct {
	buf  []byte
	msgs [][]byte // the messages in buf
}

func newCopies(most, size int) *copies {
	c := &copies{buf: make([]byte, most*size)}
	for rest := c.buf; len(rest) > 0; rest = rest[size:] {
		c.msgs = append(c.msgs, rest[:size])
	}
	return c
}

// send sends most messages from number seq on together, and returns how many.
func (c *copies) send(ctx context.Context, to Sender, seq uint64, most, size int) (int, error) {
	payload.FillAll(c.buf[:most*size], size, seq)
	return to.SendBatch(ctx, c.msgs[:most])
}

// Cutter splits input into messages.
type Cutter interface {
	// next sends the next message and, as far as they are read, some behind it; most bounds
	// them. It returns how many it sent or the full queue dropped: at least one, or an error,
	// io.EOF at the end of the input. It does not reserve space before it knows that there is a
	// message: at the end of the input it must not wait for space.
	next(ctx context.Context, to Sender, most Batch) (int, error)
	// counter returns a count of the messages of a regular file, which reads ahead of next.
	counter() *counter
}

// Copy splits the input with cut and sends the messages, until the input ends, the limit is
// reached, or ctx is done (its cause is returned). A message dropped by a full ring is skipped.
func Copy(ctx context.Context, to Sender, in *Input, cut Cutter, lim Limits) error {
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
