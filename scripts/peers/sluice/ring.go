package main

import (
	"time"

	"sluice/ring"
)

// ringOptions: a ring of 1 MiB, or of what three messages take.
func ringOptions(j job) ring.Options {
	opt := ring.Options{Capacity: 1 << 20, Fresh: true}
	for opt.Capacity < 3*uint64(j.bytes+8) {
		opt.Capacity *= 2
	}
	switch {
	case j.roundtrip && j.spin:
		opt.Spin = time.Second
	case j.roundtrip:
		opt.Spin = ring.SpinNever
	}
	return opt
}

// batch is how many messages go with one publish: at most 64, at most a quarter
// of the ring.
func (j job) batch() int {
	if j.form != "batch" {
		return 1
	}
	return max(1, min(64, int(ringOptions(j).Capacity/4)/(j.bytes+8)))
}

type ringOut struct{ *ring.Writer }

func createRing(name string, j job) (out, error) {
	w, err := ring.Create(ctx, name, ringOptions(j))
	return ringOut{w}, err
}

func (w ringOut) close() error {
	err := w.Writer.Close()
	return err
}

func (w ringOut) sendAll(j job, n uint64) error {
	if j.form == "send" {
		msg := make([]byte, j.bytes)
		for i := range n {
			fill(msg, i)
			if err := w.Send(ctx, msg); err != nil {
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

type ringIn struct{ *ring.Reader }

func openRing(name string, j job) (in, error) {
	r, err := ring.Open(ctx, name, ring.Options{Spin: ringOptions(j).Spin})
	return ringIn{r}, err
}

func (r ringIn) close() error {
	err := r.Reader.Close()
	return err
}

func (r ringIn) readAll(j job, n uint64) (sum uint64, err error) {
	if j.form == "send" {
		for range n {
			msg, err := r.Take(ctx)
			if err != nil {
				return 0, err
			}
			sum += words(msg)
		}
		r.Release()
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
