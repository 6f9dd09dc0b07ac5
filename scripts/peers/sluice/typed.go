package main

import (
	"sluice"
)

// Rings of fixed slots: each message is a T.

type typedSender[T any] struct {
	job
	*sluice.ProducerOf[T]
}

type typedReceiver[T any] struct {
	job
	*sluice.ConsumerOf[T]
}

func createTyped[T any](j job, name string) (sender, error) {
	opt := sluice.ProducerOptions{Fresh: true, Capacity: j.ringBytes, Populate: j.populate, Spin: j.spinFor()}
	if j.bytes == 4 {
		opt.Slots = 8 // as in node/shared_ring.js
	}
	p, err := sluice.CreateOf[T](ctx, name, opt)
	return typedSender[T]{j, p}, err
}

func openTyped[T any](j job, name string) (receiver, error) {
	c, err := sluice.OpenOf[T](ctx, name, sluice.ConsumerOptions{Populate: j.populate, Spin: j.spinFor()})
	return typedReceiver[T]{j, c}, err
}

func (s typedSender[T]) sendOne(number uint64) error {
	slot, err := s.Slot(ctx)
	if err != nil {
		return err
	}
	fill(bytesOf(slot), number)
	s.Publish()
	return nil
}

func (s typedSender[T]) send(n uint64) error {
	switch s.form {
	case "value":
		var msg T
		for i := range n {
			fill(bytesOf(&msg), i)
			if err := s.Push(ctx, msg); err != nil {
				return err
			}
		}
		return nil
	case "windows":
		for i := uint64(0); i < n; {
			window, err := s.Window(ctx, int(min(n-i, windowSlots)))
			if err != nil {
				return err
			}
			for k := range window {
				fill(bytesOf(&window[k]), i)
				i++
			}
			s.PublishN(len(window))
		}
		return nil
	}
	p := s.ProducerOf
	for i := range n {
		slot, err := p.Slot(ctx)
		if err != nil {
			return err
		}
		fill(bytesOf(slot), i)
		p.Publish()
	}
	return nil
}

func (r typedReceiver[T]) readOne() (sum uint64, err error) {
	msg, err := r.Next(ctx)
	if err != nil {
		return 0, err
	}
	sum = words(bytesOf(msg))
	r.Release()
	return sum, nil
}

func (r typedReceiver[T]) read(n uint64) (sum uint64, err error) {
	switch r.form {
	case "value":
		for range n {
			msg, err := r.Pop(ctx)
			if err != nil {
				return 0, err
			}
			sum += words(bytesOf(&msg))
		}
		return sum, nil
	case "windows":
		for n > 0 {
			window, err := r.Window(ctx, int(min(n, windowSlots)))
			if err != nil {
				return 0, err
			}
			for k := range window {
				sum += words(bytesOf(&window[k]))
			}
			r.Release()
			n -= uint64(len(window))
		}
		return sum, nil
	}
	c := r.ConsumerOf
	for range n {
		msg, err := c.Next(ctx)
		if err != nil {
			return 0, err
		}
		sum += words(bytesOf(msg))
		c.Release()
	}
	return sum, nil
}

// windowSlots is how many slots are written or read at once, at most.
const windowSlots = 512
