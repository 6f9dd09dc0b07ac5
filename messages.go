package sluice

import (
	"cmp"
	"context"
	"io"
	"iter"
)

// Messages opens the Consumer of the segment called name when a loop over it begins, ranges over
// its messages as [Consumer].Messages does, and closes it when the loop ends, however it ends. A
// slice is valid until the next turn of the loop, and not to be written to.
//
// An error is the last pair, with a nil slice: one of [Open], [Consumer].Next or Close. The end of
// a complete stream is none. A message whose body breaks out of the loop is not released: the next
// consumer gets it again, and an error of Close is not seen then.
func Messages(ctx context.Context, name string, opt ConsumerOptions) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		c, err := Open(ctx, name, opt)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.Close() // when the body breaks out of the loop, or panics
		var last error
		for msg, err := range c.Messages(ctx) {
			if err != nil {
				last = err
			} else if !yield(msg, nil) {
				return
			}
		}
		if err := cmp.Or(last, c.Close()); err != nil {
			yield(nil, err)
		}
	}
}

// MessageWriter returns an io.Writer that sends what a call of Write is given as one message: Send
// with ctx. It is for what writes a message with one call, as binary.Write, json.Encoder, the
// handlers of package slog and fmt.Fprintf do; it has no buffer, and nothing to close. One
// goroutine at a time may use it, the one that uses p.
//
// An error of Write is that of Send, and then nothing was written.
func MessageWriter(ctx context.Context, p Producer) io.Writer { return messageWriter{ctx, p} }

type messageWriter struct {
	ctx context.Context
	p   Producer
}

func (w messageWriter) Write(msg []byte) (int, error) {
	if err := w.p.Send(w.ctx, msg); err != nil {
		return 0, err
	}
	return len(msg), nil
}
