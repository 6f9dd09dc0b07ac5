package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"sluice/ring"
	"sluice/shm"
)

// The names carry the process id only so that tests which run side by side do
// not meet.
func exampleName(s string) string { return fmt.Sprintf("example-%s.%d", s, os.Getpid()) }

// Two ends of one ring. They are in one program here; in yours they are in two.
func Example() {
	ctx, name := context.Background(), exampleName("hello")

	w, err := ring.Create(ctx, name, ring.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Send(ctx, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil { // the message waits for a reader
		log.Fatal(err)
	}

	r, err := ring.Open(ctx, name, ring.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for msg, err := range r.Messages(ctx) { // ends when the producer has ended
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", msg)
	}
	if err := r.Close(); err != nil { // the last one out removes the segment
		log.Fatal(err)
	}
	// Output: hello
}

// Without a copy: fill ring memory, read ring memory.
func ExampleWriter_Reserve() {
	ctx, name := context.Background(), exampleName("reserve")
	w, err := ring.Create(ctx, name, ring.WriterOptions{Capacity: 4096})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	for i := range 3 {
		buf, err := w.Reserve(ctx, 64) // at most 64 bytes
		if err != nil {
			log.Fatal(err)
		}
		text := fmt.Appendf(buf[:0], "message %d", i)
		w.Commit(len(text)) // staged
	}
	w.Publish() // all three visible at once, one wake-up at most

	r, err := ring.Open(ctx, name, ring.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		msg, err := r.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", msg)
	}
	r.Release() // the room of all three goes back; their slices are invalid now
	// Output:
	// message 0
	// message 1
	// message 2
}

// A program that would rather lose messages than wait.
func ExampleWriter_Send_drop() {
	ctx, name := context.Background(), exampleName("drop")
	w, err := ring.Create(ctx, name, ring.WriterOptions{Slots: 2, OnFull: ring.Drop})
	if err != nil {
		log.Fatal(err)
	}
	defer shm.Remove(ctx, name) // nobody reads them
	defer w.Close()
	for i := range 5 {
		err := w.Send(ctx, fmt.Append(nil, i))
		if errors.Is(err, ring.ErrDropped) {
			fmt.Println("dropped", i)
		} else if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("counted:", w.Segment().Header().ProducerStats.Dropped.Load())
	// Output:
	// dropped 2
	// dropped 3
	// dropped 4
	// counted: 3
}

// Batches: take what is there, then give all of it back with one Release.
func ExampleReader_NextBatch() {
	ctx, name := context.Background(), exampleName("batch")
	w, err := ring.Create(ctx, name, ring.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.SendBatch(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")}); err != nil {
		log.Fatal(err)
	}
	w.Close()

	r, err := ring.Open(ctx, name, ring.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	msgs := make([][]byte, 64)
	for {
		n, err := r.NextBatch(ctx, msgs, 64<<10)
		for _, msg := range msgs[:n] {
			fmt.Printf("%s ", msg)
		}
		r.Release()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("released")
	}
	// Output: a b c released
}
