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
