package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"sluice/transfer"
)

// socket is a path of its own for each example; where the two ends are of one
// user, and meet at the default one, the options need not say it.
func socket() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "transfertest")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(dir, "socket"), func() { os.RemoveAll(dir) }
}

// The names carry the process id only so that tests which run side by side do
// not meet.
func exampleName(s string) string { return fmt.Sprintf("transfertest.%d.%s", os.Getpid(), s) }

// Two ends of one transfer. They are in one program here; in yours they are in two.
func Example() {
	ctx, name := context.Background(), exampleName("hello")
	path, remove := socket()
	defer remove()

	s, err := transfer.Create(ctx, name, transfer.SenderOptions{Socket: path})
	if err != nil {
		log.Fatal(err)
	}
	for _, msg := range []string{"hello", "there"} { // it does not wait for the consumer
		if err := s.Send(ctx, []byte(msg)); err != nil {
			log.Fatal(err)
		}
	}
	ended := make(chan error)
	go func() {
		// This waits for one: everything is released, or it is an error.
		ended <- errors.Join(s.Shutdown(ctx), s.Close())
	}()

	r, err := transfer.Open(ctx, name, transfer.ReceiverOptions{Socket: path})
	if err != nil {
		log.Fatal(err)
	}
	for {
		msg, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", msg)
		r.Release() // msg is invalid from here on
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	if err := r.Close(); err != nil { // the last one out removes the segment
		log.Fatal(err)
	}
	// Output:
	// hello
	// there
}

// Many small messages, a page for each 4 KiB of them, and at most 16 pages in
// flight.
func ExampleSender_Reserve() {
	ctx, name := context.Background(), exampleName("reserve")
	path, remove := socket()
	defer remove()

	s, err := transfer.Create(ctx, name, transfer.SenderOptions{Socket: path, Buffer: 4096, Limit: 16 * 4096})
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; ; i++ {
		room, err := s.Reserve(ctx, 56) // at most 56 bytes
		var limit *transfer.LimitError
		if errors.As(err, &limit) {
			fmt.Printf("%d messages in flight\n", limit.Waiting)
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		s.Commit(copy(room, fmt.Sprintf("message %-48d", i)))
		s.Publish() // Flush, where the next message may be long in coming
	}

	err = s.Close() // nobody came, and it does not wait
	var undelivered *transfer.UndeliveredError
	fmt.Println(errors.As(err, &undelivered), undelivered.Lost, "lost")
	// Output:
	// 1024 messages in flight
	// true 1024 lost
}
