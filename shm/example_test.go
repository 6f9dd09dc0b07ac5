package shm_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sluice/layout"
	"sluice/shm"
)

// Two sides of one segment. Here both are in one process; as a rule they are
// not.
func Example() {
	name := fmt.Sprintf("shmtest.%d.example", os.Getpid())
	g, err := layout.RingGeometry(layout.DefaultCapacity, 0, uint64(os.Getpagesize()))
	if err != nil {
		fmt.Println(err)
		return
	}
	producer, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		fmt.Println(err)
		return
	}
	consumer, err := shm.Open(context.Background(), name, layout.Consumer)
	if err != nil {
		fmt.Println(err)
		return
	}
	copy(producer.Data(), "hello")
	fmt.Printf("%s\n", consumer.Data()[:5])

	_, err = shm.Open(context.Background(), name, layout.Consumer)
	fmt.Println("a second consumer:", errors.Is(err, shm.ErrRoleTaken))

	always := func() bool { return true }
	removed, _ := producer.Leave(always)
	fmt.Println("removed by the producer:", removed)
	fmt.Println("no producer:", consumer.Absent(layout.Producer))
	removed, _ = consumer.Leave(always)
	fmt.Println("removed by the consumer:", removed)
	// Output:
	// hello
	// a second consumer: true
	// removed by the producer: false
	// no producer: true
	// removed by the consumer: true
}

func ExampleWait() {
	var word layout.Uint64 // a field of a segment's header in real life
	go func() {
		word.Store(1)
		shm.Wake(word.Futex(), -1)
	}()
	for word.Load() == 0 { // a Wait may end without a reason
		if _, err := shm.Wait(word.Futex(), 0, -1); err != nil {
			fmt.Println(err)
			return
		}
	}
	result, _ := shm.Wait(word.Futex(), 0, -1)
	fmt.Println(word.Load(), result)
	// Output: 1 not-equal
}
