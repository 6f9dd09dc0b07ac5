package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"sluice"
	"sluice/internal/monotonic"
)

// form is what the messages of a run are: "slots", fixed slots of 8 bytes as values of a type, or
// "records" of any size. Each 8 bytes of message k are the number k.

// send makes a ring and, when it is told to, sends messages. It prints "ready", and when it began.
func send(ctx context.Context, args []string) error {
	name, form := args[0], args[1]
	capacity, _ := strconv.ParseUint(args[2], 10, 64)
	bytes, _ := strconv.Atoi(args[3])
	count, _ := strconv.ParseUint(args[4], 10, 64)
	opt := sluice.ProducerOptions{Capacity: capacity}
	if form == "slots" {
		p, err := sluice.CreateOf[uint64](ctx, name, opt)
		if err != nil {
			return err
		}
		begin()
		for k := range count {
			if err := p.Push(ctx, k); err != nil {
				return err
			}
		}
		return errors.Join(p.Drain(ctx), p.Close())
	}
	p, err := sluice.Create(ctx, name, opt)
	if err != nil {
		return err
	}
	begin()
	for k := range count {
		msg, err := p.Reserve(ctx, bytes)
		if err != nil {
			return err
		}
		fill(msg, k)
		p.Commit(bytes)
		p.Publish()
	}
	return errors.Join(p.Drain(ctx), p.Close())
}

// begin prints "ready", waits for a line, and prints the time.
func begin() {
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println(monotonic.Now())
}

// take waits for a ring and takes all messages. It prints how many, when it had the last one, and
// how many were not the next one.
func take(ctx context.Context, args []string) error {
	name, form := args[0], args[1]
	var next, wrong uint64
	err := error(nil)
	if form == "slots" {
		var c *sluice.ConsumerOf[uint64]
		if c, err = sluice.OpenOf[uint64](ctx, name, sluice.ConsumerOptions{}); err != nil {
			return err
		}
		for {
			var window []uint64
			if window, err = c.Window(ctx, 512); err != nil {
				break
			}
			for _, v := range window {
				if v != next {
					wrong++
				}
				next = v + 1
			}
			c.Release()
		}
		err = errors.Join(notEOF(err), c.Close())
	} else {
		var c sluice.Consumer
		if c, err = sluice.Open(ctx, name, sluice.ConsumerOptions{}); err != nil {
			return err
		}
		msgs := make([][]byte, 512)
		for {
			var n int
			n, err = c.NextBatch(ctx, msgs, 1<<16)
			for _, msg := range msgs[:n] {
				if !filled(msg, next) {
					wrong++
				}
				next++
			}
			c.Release()
			if err != nil {
				break
			}
		}
		err = errors.Join(notEOF(err), c.Close())
	}
	fmt.Println(next, monotonic.Now(), wrong)
	return err
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// fill writes k into each 8 bytes of msg.
func fill(msg []byte, k uint64) {
	for ; len(msg) >= 8; msg = msg[8:] {
		binary.LittleEndian.PutUint64(msg, k)
	}
}

// filled reports whether each 8 bytes of msg are k.
func filled(msg []byte, k uint64) bool {
	var off uint64
	for ; len(msg) >= 8; msg = msg[8:] {
		off |= binary.LittleEndian.Uint64(msg) ^ k
	}
	return off == 0
}
