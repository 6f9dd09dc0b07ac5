package main

import (
	"errors"
	"runtime"

	"sluice/transfer"
)

// packed is the size of the buffers that messages are packed into, bytes.
const packed = 64 << 10

// limit bounds the memory in flight, bytes.
const limit = 256 << 20

func (j job) sendTransfer(s *transfer.Sender, n uint64) error {
	for i := range n {
		msg, err := s.Reserve(ctx, j.bytes)
		for errors.Is(err, transfer.ErrLimit) { // wait, as the ring does
			runtime.Gosched()
			msg, err = s.Reserve(ctx, j.bytes)
		}
		if err != nil {
			return err
		}
		fill(msg, i)
		s.Commit(j.bytes)
		s.Publish()
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
