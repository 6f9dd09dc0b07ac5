package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"sluice"
)

// A producer with two consumers. The ring of the second is too small for it: that one is
// disconnected, joins again, and is told what it lacks.
func ExampleFanOut() {
	ctx, archive, screen := context.Background(), exampleName("archive"), exampleName("screen")
	f, err := sluice.CreateFanOut(ctx, []sluice.Destination{
		{Name: archive}, // Block: the producer waits
		{Name: screen, OnSlow: sluice.Disconnect},
	}, sluice.FanOutOptions{Slots: 4})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	send := func(first, last int) {
		for i := first; i <= last; i++ {
			if err := f.Send(ctx, []byte{byte(i)}); err != nil {
				log.Fatal(err)
			}
		}
	}
	open := func(name string) sluice.Consumer {
		c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{
			OnMissed: func(n uint64) { fmt.Println("missed:", n) },
		})
		if err != nil {
			log.Fatal(err)
		}
		return c
	}
	take := func(c sluice.Consumer) (n int) {
		for {
			msg, err := c.TryNext()
			switch {
			case errors.Is(err, sluice.ErrIncomplete):
				fmt.Println("disconnected")
				return n
			case err != nil:
				return n
			}
			n++
			_ = msg[0]
			c.Release()
		}
	}

	first, second := open(archive), open(screen)
	defer first.Close()
	send(1, 4)
	fmt.Println("archive has", take(first))
	send(5, 7)
	fmt.Println("archive has", take(first))
	fmt.Println("screen has", take(second))
	second.Close()

	second = open(screen)
	defer second.Close()
	send(8, 9)
	fmt.Println("screen has", take(second))
	fmt.Println("archive has", take(first))
	for i, r := range f.Rings() {
		fmt.Println(i, r.OnSlow, r.Published, r.Dropped)
	}
	// Output:
	// archive has 4
	// archive has 3
	// disconnected
	// screen has 4
	// missed: 3
	// screen has 2
	// archive has 2
	// 0 block 9 0
	// 1 disconnect 6 3
}
