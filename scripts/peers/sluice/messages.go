package main

import (
	"fmt"
	"strings"

	"sluice"
	"sluice/ring"
	"sluice/transfer"
)

// Rings of records, and transfers: each message is some bytes.

type messageSender struct {
	job
	sluice.Producer
	msg []byte
}

type messageReceiver struct {
	job
	sluice.Consumer
	msg []byte
}

func createMessages(j job, name string) (sender, error) {
	opt := sluice.ProducerOptions{Fresh: true, Capacity: j.capacity(), Populate: j.populate, Spin: j.spinFor()}
	if j.isTransfer() {
		opt = sluice.ProducerOptions{Mode: sluice.ModeTransfer, Fresh: true, Limit: limit, Recycle: strings.Contains(j.form, "recycled")}
		if strings.Contains(j.form, "packed") {
			opt.Buffer = packed
		}
	}
	p, err := sluice.Create(ctx, name, opt)
	return messageSender{j, p, make([]byte, j.bytes)}, err
}

func openMessages(j job, name string) (receiver, error) {
	c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{Populate: j.populate, Spin: j.spinFor()})
	return &messageReceiver{j, c, nil}, err
}

func (s messageSender) sendOne(number uint64) error {
	fill(s.msg, number)
	return s.Send(ctx, s.msg)
}

// send sends with the faster calls of the mode.
func (s messageSender) send(n uint64) error {
	switch p := s.Producer.(type) {
	case *ring.Writer:
		return s.sendRing(p, n)
	case *transfer.Sender:
		return s.sendTransfer(p, n)
	}
	return fmt.Errorf("no loop for a %T", s.Producer)
}

func (r *messageReceiver) readOne() (sum uint64, err error) {
	if r.msg, err = r.Receive(ctx, r.msg); err != nil {
		return 0, err
	}
	return words(r.msg), nil
}

// read reads with the faster calls of the mode.
func (r *messageReceiver) read(n uint64) (sum uint64, err error) {
	switch c := r.Consumer.(type) {
	case *ring.Reader:
		return r.readRing(c, n)
	case *transfer.Receiver:
		return r.readTransfer(c, n)
	}
	return 0, fmt.Errorf("no loop for a %T", r.Consumer)
}
