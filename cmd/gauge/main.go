// Command gauge shows the state of segments, whether they are in use or left over: which side is
// slower, how full the queue is, how long messages wait. It only reads; gauge rm alone removes.
package main

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"os"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/observe/monitor"
	"sluice/shm"
)

func main() {
	os.Exit(cli.Main(cli.App{
		Name:   "gauge",
		Prints: true,
		Usage:  "see the pressure in segments: who is slower, how full the queue is, how long messages wait",
		About: "Reads the counters that producers and consumers keep in shared memory. It does not take\n" +
			"part: it may start and end at any time, and works on a pair that runs, is stopped or was\n" +
			"killed.",
		Examples: []string{
			"gauge                            list the segments",
			"gauge watch                      live, in the terminal",
			"gauge stat --name demo           everything, once",
			"gauge record --output demo.csv   a row each 10 ms, for plots",
			"gauge serve                      Prometheus metrics, and a live page, on localhost:9464",
			"gauge doctor                     check this machine for problems and print fixes",
			"gauge rm --name demo             remove the segment of a pair that is gone",
		},
		Commands: []cli.App{listCommand(), statCommand(), watchCommand(), recordCommand(), serveCommand(), doctorCommand(), removeCommand(), layoutCommand()},
		Run:      func(ctx context.Context, c *urfave.Context) error { return list(ctx, false) },
	}))
}

// logger writes what is not an error that ends the command.
var logger = log.New(os.Stderr, "gauge: ", 0)

var errNoSegment = errors.New("there is none")

// noSegment is the error for a name without a segment.
func noSegment(name string) error {
	return cli.WithHint(cli.WithSegment(name, errNoSegment), "%s", cli.SimilarSegments(name))
}

// openView is shm.OpenView; its error for a name without a segment has a hint.
func openView(name string) (*shm.View, error) {
	v, err := shm.OpenView(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = noSegment(name)
	}
	return v, err
}

// rateInterval is the time between the two samples that rates are computed from.
const rateInterval = 250 * time.Millisecond

// sampleTwice reads the segments, waits, and reads them again, so that there are rates.
func sampleTwice(ctx context.Context, f *monitor.Monitor, wait time.Duration) ([]*monitor.Pair, error) {
	if pairs, err := f.Poll(); err != nil || len(pairs) == 0 {
		return pairs, err
	}
	if err := sleep(ctx, wait); err != nil {
		return nil, err
	}
	return f.Poll()
}

// sleep waits for d, or returns the cause of ctx when that is done first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
