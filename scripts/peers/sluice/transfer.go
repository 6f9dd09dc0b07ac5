package main

import (
	"errors"
	"runtime"
	"strings"

	"sluice/transfer"
)

// packed is the size of the buffers that messages are packed into, bytes.
const packed = 64 << 10

// limit bounds the memory in flight, bytes.
const limit = 256 << 20

func (j job) sendTransfer(s *transfer.Sender, n uint64) error {
	one := func(number uint64) error {
		msg, err := s.Reserve(ctx, j.bytes)
		if err != nil {
			return err
		}
		fill(msg, number)
		s.Commit(j.bytes)
		s.Publish()
		return nil
	}
	if strings.Contains(j.form, "packed") { // a message is so small that to copy it is faster
		msg := make([]byte, j.bytes)
		one = func(number uint64) error {
			fill(msg, number)
			return s.Send(ctx, msg)
		}
	}
	for i := uint64(0); i < n; {
		switch err := one(i); {
		case err == nil:
			i++
		case errors.Is(err, transfer.ErrLimit): // wait, as the ring does
			runtime.Gosched()
		default:
			return err
		}
	}
	s.Flush()
	return nil
}

func (j job) readTransfer(r *transfer.Receiver, n uint64) (sum uint64, err error) {
	for range n {
		msg, err := r.Next(ctx)
		if err != nil {
			return 0, err
		}
		sum += words(msg)
		if !r.Buffered() {
			r.Release()
		}
	}
	r.Release()
	return sum, nil
}
