package main

import (
	"math"
	"time"

	"sluice"
	"sluice/ring"
)

// capacity is what was given, or 1 MiB, or enough for three messages.
func (j job) capacity() uint64 {
	if j.ringBytes > 0 {
		return j.ringBytes
	}
	capacity := uint64(1 << 20)
	for capacity < 3*uint64(j.bytes+8) {
		capacity *= 2
	}
	return capacity
}

// spinFor is how long a side spins before it sleeps.
func (j job) spinFor() time.Duration {
	switch {
	case j.roundtrip && j.spin:
		return time.Second
	case j.roundtrip:
		return sluice.SpinNever
	}
	return sluice.SpinAdaptive
}

// batch is how many messages are sent with one publish: at most 64, and at most a quarter of
// the ring.
func (j job) batch() int {
	if j.form == "reserve" {
		return 1
	}
	return max(1, min(64, int(j.capacity()/4)/(j.bytes+8)))
}

func (j job) sendRing(w *ring.Writer, n uint64) error {
	switch j.form {
	case "send":
		msg := make([]byte, j.bytes)
		for i := range n {
			fill(msg, i)
			if err := w.Send(ctx, msg); err != nil {
				return err
			}
		}
		return nil
	case "batch":
		msgs := make([][]byte, j.batch())
		for i := range msgs {
			msgs[i] = make([]byte, j.bytes)
		}
		for i := uint64(0); i < n; i += uint64(len(msgs)) {
			msgs = msgs[:min(uint64(len(msgs)), n-i)]
			for k, msg := range msgs {
				fill(msg, i+uint64(k))
			}
			if _, err := w.SendBatch(ctx, msgs); err != nil {
				return err
			}
		}
		return nil
	}
	batch, staged := j.batch(), 0
	for i := range n {
		msg, err := w.Reserve(ctx, j.bytes)
		if err != nil {
			return err
		}
		fill(msg, i)
		w.Commit(j.bytes)
		if staged++; staged == batch {
			w.Publish()
			staged = 0
		}
	}
	w.Publish()
	return nil
}

func (j job) readRing(r *ring.Reader, n uint64) (sum uint64, err error) {
	switch j.form {
	case "send":
		for range n {
			msg, err := r.Take(ctx)
			if err != nil {
				return 0, err
			}
			sum += words(msg)
		}
		r.Release()
		return sum, nil
	case "batch":
		msgs := make([][]byte, j.batch())
		for n > 0 {
			taken, err := r.NextBatch(ctx, msgs[:min(uint64(len(msgs)), n)], math.MaxInt)
			if err != nil {
				return 0, err
			}
			for _, msg := range msgs[:taken] {
				sum += words(msg)
			}
			r.Release()
			n -= uint64(taken)
		}
		return sum, nil
	}
	batch, held := j.batch(), 0
	for range n {
		msg, err := r.Next(ctx)
		if err != nil {
			return 0, err
		}
		sum += words(msg)
		if held++; held == batch || !r.Buffered() {
			r.Release()
			held = 0
		}
	}
	return sum, nil
}
