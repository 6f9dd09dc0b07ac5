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

type transferOut struct{ *transfer.Sender }

func createTransfer(name string, j job) (out, error) {
	opt := transfer.SenderOptions{Limit: limit, Fresh: true, Recycle: j.form == "recycled"}
	if j.form == "packed" {
		opt.Buffer = packed
	}
	s, err := transfer.Create(ctx, name, opt)
	return transferOut{s}, err
}

func (s transferOut) close() error {
	return errors.Join(s.Shutdown(ctx), s.Sender.Close())
}

func (s transferOut) sendAll(j job, n uint64) error {
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

type transferIn struct{ *transfer.Receiver }

func openTransfer(name string) (in, error) {
	r, err := transfer.Open(ctx, name, transfer.ReceiverOptions{})
	return transferIn{r}, err
}

func (r transferIn) close() error { return r.Receiver.Close() }

func (r transferIn) readAll(j job, n uint64) (sum uint64, err error) {
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
