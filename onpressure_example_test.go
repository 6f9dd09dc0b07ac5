package sluice_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"

	"sluice"
)

// A producer that sheds load: while the ring is 80 % full it sends only what matters.
func ExampleOnPressure() {
	ctx, name := context.Background(), exampleName("shed")
	p, err := sluice.Create(ctx, name, sluice.ProducerOptions{Slots: 10})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	var shed atomic.Bool
	changed := make(chan sluice.Pressure, 1)
	stop, err := sluice.OnPressure(p, 0.8, func(now sluice.Pressure) {
		shed.Store(now.High)
		changed <- now
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	send := func(important bool) {
		if shed.Load() && !important {
			return
		}
		if err := p.Send(ctx, []byte("measurement")); err != nil {
			log.Fatal(err)
		}
	}

	for range 8 {
		send(false)
	}
	now := <-changed
	fmt.Println("high:", now.High, now.Depth)
	send(false) // is shed
	send(true)
	fmt.Println("sent:", p.Published())

	c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for range 9 {
		if _, err := c.Receive(ctx, nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("high:", (<-changed).High)
	send(false)
	fmt.Println("sent:", p.Published())
	if _, err := c.Receive(ctx, nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// high: true 8
	// sent: 9
	// high: false
	// sent: 10
}
