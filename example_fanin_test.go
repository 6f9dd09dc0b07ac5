package sluice_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"sluice"
)

// Two producers, one consumer of both. In practice they are three processes.
func ExampleFanIn() {
	ctx := context.Background()
	for _, name := range []string{"example-fan-a", "example-fan-b"} {
		p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
		if err != nil {
			log.Fatal(err)
		}
		if err := p.Send(ctx, []byte("from "+name)); err != nil {
			log.Fatal(err)
		}
		if err := p.Close(); err != nil { // the message stays for the consumer
			log.Fatal(err)
		}
	}
	f, err := sluice.OpenFanIn(ctx, []string{"example-fan-*"}, sluice.FanInOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for m, err := range f.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", m.From.Name(), m.Payload)
	}
	// Unordered output:
	// example-fan-a: from example-fan-a
	// example-fan-b: from example-fan-b
}

// A message, a timer and other channels in one select.
func ExampleReadyConsumer() {
	ctx := context.Background()
	p, err := sluice.Create(ctx, "example-ready", sluice.ProducerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := sluice.Open(ctx, "example-ready", sluice.ConsumerOptions{Mode: sluice.ModeRing})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	messages := c.(sluice.ReadyConsumer)
	go func() {
		_ = p.Send(ctx, []byte("hello"))
		_ = p.Close()
	}()
	for {
		select {
		case <-messages.Ready():
		case <-ctx.Done():
			return
		}
		for {
			msg, err := messages.TryNext()
			if err == sluice.ErrEmpty {
				break
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s\n", msg)
			messages.Release()
		}
	}
	// Output: hello
}
