package sluice_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"sluice"
)

// The names carry the process id only so that tests which run side by side do not meet.
func exampleName(s string) string { return fmt.Sprintf("example-%s.%d", s, os.Getpid()) }

// Both ends, in one program here and in two in yours. The mode is an option of the producer.
func Example() {
	ctx := context.Background()
	for _, mode := range []sluice.Mode{sluice.ModeRing, sluice.ModeTransfer} {
		name := exampleName("hello")
		p, err := sluice.Create(ctx, name, sluice.ProducerOptions{Mode: mode})
		if err != nil {
			log.Fatal(err)
		}
		sent := make(chan error)
		go func() {
			for _, word := range []string{"hello", "world"} {
				if err := p.Send(ctx, []byte(word)); err != nil {
					log.Fatal(err)
				}
			}
			err := p.Drain(ctx) // wait until the consumer has all of it
			sent <- errors.Join(err, p.Close())
		}()

		c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(mode, ":")
		for msg, err := range c.Messages(ctx) { // ends when the producer has closed
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf(" %s", msg)
		}
		fmt.Println()
		if err := errors.Join(c.Close(), <-sent); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// ring: hello world
	// transfer: hello world
}

// Values as JSON, each a message. The consumer is opened and closed by the loop.
func ExampleMessages() {
	ctx, name := context.Background(), exampleName("log")
	p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	to := json.NewEncoder(sluice.MessageWriter(ctx, p))
	for _, t := range []Trade{{1, 1999, 5}, {2, 2050, 7}} {
		if err := to.Encode(t); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}

	for msg, err := range sluice.Messages(ctx, name, sluice.ConsumerOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(string(msg))
	}
	// Output:
	// {"ID":1,"Cents":1999,"Amount":5}
	// {"ID":2,"Cents":2050,"Amount":7}
}

// Trade is 16 bytes in a fixed byte order: both processes agree on it, whatever they are
// compiled with.
type Trade struct {
	ID     uint64
	Cents  int32
	Amount uint32
}

// Structs, written straight into the memory that the consumer reads.
func ExampleProducer_Reserve() {
	ctx, name := context.Background(), exampleName("structs")
	p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for i := range uint64(3) {
		buf, err := p.Reserve(ctx, binary.Size(Trade{}))
		if err != nil {
			log.Fatal(err)
		}
		n, err := binary.Encode(buf, binary.LittleEndian, Trade{ID: i, Cents: 1999, Amount: 5})
		if err != nil {
			log.Fatal(err)
		}
		p.Commit(n)
	}
	p.Publish() // all three at once
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}

	c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for msg, err := range c.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		var t Trade
		if _, err := binary.Decode(msg, binary.LittleEndian, &t); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%+v\n", t)
	}
	// Output:
	// {ID:0 Cents:1999 Amount:5}
	// {ID:1 Cents:1999 Amount:5}
	// {ID:2 Cents:1999 Amount:5}
}

// A stage between two segments: it drops some messages, and sends others on in another form. The
// three parts are one program here.
func ExampleStage() {
	ctx, lower, upper := context.Background(), exampleName("lower"), exampleName("upper")
	p, err := sluice.Create(ctx, lower, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, word := range []string{"one", "", "two"} {
		if err := p.Send(ctx, []byte(word)); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}

	in, err := sluice.Open(ctx, lower, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	out, err := sluice.Create(ctx, upper, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	err = sluice.Stage(ctx, in, out, func(msg []byte) error {
		if len(msg) == 0 {
			return nil
		}
		return out.Send(ctx, bytes.ToUpper(msg))
	})
	if err := errors.Join(err, out.Close(), in.Close()); err != nil { // out before in
		log.Fatal(err)
	}

	for msg, err := range sluice.Messages(ctx, upper, sluice.ConsumerOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", msg)
	}
	// Output:
	// ONE
	// TWO
}

// Tick is a type that both processes are compiled with: one of a fixed size, without pointers, and
// without bool.
type Tick struct {
	ID       uint64
	Bid, Ask float64
}

// Values of one type, through a ring of fixed slots. Nothing is encoded, and the consumer is told
// if it was compiled with another type.
func ExampleCreateOf() {
	ctx, name := context.Background(), exampleName("ticks")
	p, err := sluice.CreateOf[Tick](ctx, name, sluice.ProducerOptions{Slots: 1024})
	if err != nil {
		log.Fatal(err)
	}
	for id := range uint64(3) {
		if err := p.Push(ctx, Tick{ID: id, Bid: 10.5, Ask: 11}); err != nil { // waits while the ring is full
			log.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}

	_, err = sluice.OpenOf[[3]uint64](ctx, name, sluice.ConsumerOptions{})
	fmt.Println("another type of 24 bytes:", errors.Is(err, sluice.ErrType))

	c, err := sluice.OpenOf[Tick](ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	first, err := c.Pop(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", first)
	for tick, err := range c.Values(ctx) { // the rest, until the producer has closed
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%+v\n", tick)
	}
	// Output:
	// another type of 24 bytes: true
	// {ID:0 Bid:10.5 Ask:11}
	// {ID:1 Bid:10.5 Ask:11}
	// {ID:2 Bid:10.5 Ask:11}
}

// Many values for one publish: they are written where the consumer reads them, as many at a time as
// lie in a row. Here the ring has 8 slots.
func ExampleProducerOf_window() {
	ctx, name := context.Background(), exampleName("windows")
	p, err := sluice.CreateOf[uint32](ctx, name, sluice.ProducerOptions{Slots: 8})
	if err != nil {
		log.Fatal(err)
	}
	c, err := sluice.OpenOf[uint32](ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for next := uint32(0); next < 20; {
		free, err := p.Window(ctx, min(6, int(20-next)))
		if err != nil {
			log.Fatal(err)
		}
		for i := range free {
			free[i] = next
			next++
		}
		p.PublishN(len(free))

		values, err := c.Window(ctx, 8)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(values)
		c.Release() // values is invalid from here on
	}
	p.Close()
	// Output:
	// [0 1 2 3 4 5]
	// [6 7]
	// [8 9 10 11 12 13]
	// [14 15]
	// [16 17 18 19]
}

// A value is changed in its slot, and none is copied. It is published by Publish, and not before.
func ExampleConsumerOf_inPlace() {
	ctx, name := context.Background(), exampleName("inplace")
	p, err := sluice.CreateOf[Tick](ctx, name, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	slot, err := p.Slot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	*slot = Tick{ID: 1} // a slot has what an earlier message left there
	slot.Bid, slot.Ask = 10.5, 11
	p.Publish()
	p.Close()

	c, err := sluice.OpenOf[Tick](ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	tick, err := c.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tick.Ask - tick.Bid)
	c.Release()
	_, err = c.TryNext()
	fmt.Println(err)
	// Output:
	// 0.5
	// EOF
}

// A worker that does something else when no message comes for a while.
func ExampleConsumer_Next_deadline() {
	ctx, name := context.Background(), exampleName("deadline")
	p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	if err := p.Send(ctx, []byte("job")); err != nil {
		log.Fatal(err)
	}

	c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		wait, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		msg, err := c.Next(wait)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			fmt.Println("nothing came")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("working on %s\n", msg)
			c.Release()
		}
	}
	// Output:
	// working on job
	// nothing came
}

// A stage of a pipeline: takes from one segment and sends to another, and gives a message back
// only when its result has been sent. A full segment behind it so slows down the one before it.
func ExampleConsumer_ReleaseN() {
	ctx, source, target := context.Background(), exampleName("source"), exampleName("target")
	first, err := sluice.Create(ctx, source, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := first.SendBatch(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")}); err != nil {
		log.Fatal(err)
	}
	first.Close()

	// The stage. It works on up to two messages at a time.
	in, err := sluice.Open(ctx, source, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	out, err := sluice.Create(ctx, target, sluice.ProducerOptions{Slots: 8})
	if err != nil {
		log.Fatal(err)
	}
	var working [][]byte
	finish := func() {
		if err := out.Send(ctx, append([]byte("done: "), working[0]...)); err != nil {
			log.Fatal(err)
		}
		in.ReleaseN(1) // the oldest; the others stay valid
		working = working[1:]
	}
	for {
		msg, err := in.Next(ctx)
		if err != nil {
			break // io.EOF, or what went wrong: see Example
		}
		if working = append(working, msg); len(working) == 2 {
			finish()
		}
	}
	for len(working) > 0 {
		finish()
	}
	in.Close()
	out.Close()

	last, err := sluice.Open(ctx, target, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer last.Close()
	for msg, err := range last.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", msg)
	}
	// Output:
	// done: a
	// done: b
	// done: c
}

// A producer that takes measurements every 10 ms was stopped for a second. It sends what it has
// missed at once, so nothing waits long in the queue, and yet everything comes late. The response
// time says so.
func ExampleProducer_SetDue() {
	ctx, name := context.Background(), exampleName("setdue")
	p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	due := time.Now().Add(-time.Second)
	for range 100 {
		p.SetDue(due)
		if err := p.Send(ctx, []byte("a measurement")); err != nil {
			log.Fatal(err)
		}
		due = due.Add(10 * time.Millisecond)
	}
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}
	for _, err := range c.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
	}
	s, err := sluice.Stats(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Response.Count, "messages, the slowest late by a second:", s.Response.Max >= time.Second)
	c.Close()
	// Output: 100 messages, the slowest late by a second: true
}

// The counters of both sides, from either.
func ExampleStats() {
	ctx, name := context.Background(), exampleName("stats")
	p, err := sluice.Create(ctx, name, sluice.ProducerOptions{Slots: 4})
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if err := p.Send(ctx, []byte("x")); err != nil {
			log.Fatal(err)
		}
	}
	c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Receive(ctx, nil); err != nil {
		log.Fatal(err)
	}
	s, err := sluice.Stats(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d produced, %d consumed, %.0f %% full\n", s.Produced, s.Consumed, 100*s.Fill())
	p.Close()
	for range 2 {
		c.Receive(ctx, nil)
	}
	c.Close()
	// Output: 3 produced, 1 consumed, 50 % full
}
