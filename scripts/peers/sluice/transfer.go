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
	if strings.Contains(j.form, "packed") { // a message is so small that to copy it is faster
		return j.sendPacked(s, n)
	}
	for i := uint64(0); i < n; {
		msg, err := s.Reserve(ctx, j.bytes)
		if errors.Is(err, transfer.ErrLimit) { // wait, as the ring does
			runtime.Gosched()
			continue
		}
		if err != nil {
			return err
		}
		fill(msg, i)
		s.Commit(j.bytes)
		s.Publish()
		i++
	}
	return nil
}

// batch is how many messages sendPacked hands over with one call.
const batch = 64

func (j job) sendPacked(s *transfer.Sender, n uint64) error {
	room, msgs := make([]byte, batch*j.bytes), make([][]byte, batch)
	for k := range msgs {
		msgs[k] = room[k*j.bytes:][:j.bytes]
	}
	for i := uint64(0); i < n; {
		some := msgs[:min(batch, n-i)]
		for k, msg := range some {
			fill(msg, i+uint64(k))
		}
		sent, err := s.SendBatch(ctx, some)
		i += uint64(sent)
		if errors.Is(err, transfer.ErrLimit) {
			runtime.Gosched()
		} else if err != nil {
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
