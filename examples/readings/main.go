// Readings is the worked example of docs/example.md: one process reads an instrument a thousand
// times a second, another one appends the readings to a file.
//
//	readings measure
//	readings store [-slow DURATION] FILE
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"sluice"
)

const (
	name = "readings"
	// every is the time from one reading to the next.
	every = time.Millisecond
	// slots is how many readings wait while the store is away: 8 s of them, and 192 KiB.
	slots = 8192
)

// Reading is what the instrument shows at a time.
type Reading struct {
	Number   uint64 // from 1 on
	UnixNano int64  // when it was due
	Celsius  float64
}

// measure publishes a reading each millisecond until ctx is done. It never waits for the store:
// an instrument cannot. What there is no room for is dropped, and counted in the segment.
func measure(ctx context.Context) error {
	p, err := sluice.CreateOf[Reading](ctx, name, sluice.ProducerOptions{Slots: slots, OnFull: sluice.Drop})
	if err != nil {
		return err
	}
	due := time.Now()
	for n := uint64(1); ctx.Err() == nil; n++ {
		due = due.Add(every)
		time.Sleep(time.Until(due))
		p.SetDue(due) // so that gauge knows how late the store gets it
		err := p.Push(ctx, Reading{n, due.UnixNano(), 20 + math.Sin(float64(n)/1000)})
		if err != nil && !errors.Is(err, sluice.ErrDropped) && ctx.Err() == nil {
			return errors.Join(err, p.Abort())
		}
	}
	return p.Close()
}

// store appends the readings to a file until the stream has ended or ctx is done. A reading is
// released when it is in the file, so a store that is killed loses none, and may leave up to
// 256 twice: their numbers tell.
func store(ctx context.Context, path string, slow time.Duration) (err error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c, err := sluice.OpenOf[Reading](ctx, name, sluice.ConsumerOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()

	out := bufio.NewWriter(file)
	for {
		readings, err := c.Window(ctx, 256) // waits for one, and takes what is there
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range readings {
			r := &readings[i]
			out.WriteString(strconv.FormatUint(r.Number, 10))
			out.WriteByte(',')
			out.WriteString(time.Unix(0, r.UnixNano).UTC().Format(time.RFC3339Nano))
			out.WriteByte(',')
			out.WriteString(strconv.FormatFloat(r.Celsius, 'f', 3, 64))
			out.WriteByte('\n')
			time.Sleep(slow)
		}
		if err := out.Flush(); err != nil { // an error of any of the writes
			return err
		}
		c.Release()
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("readings: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	const usage = "usage: readings measure | readings store [-slow DURATION] FILE"
	switch {
	case len(args) == 1 && args[0] == "measure":
		return measure(ctx)
	case len(args) > 0 && args[0] == "store":
		flags := flag.NewFlagSet("store", flag.ContinueOnError)
		flags.Usage = func() { fmt.Fprintln(flags.Output(), usage); flags.PrintDefaults() }
		slow := flags.Duration("slow", 0, "pause after each reading, as a slow disk would")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		if flags.NArg() == 1 {
			return store(ctx, flags.Arg(0), *slow)
		}
	}
	return errors.New(usage)
}
