// Command gauge looks at segments while others use them, or have used them: who is
// slower, how full the queue is, what a message waits for. It takes no part.
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
	"sluice/internal/monitor"
	"sluice/shm"
)

func main() {
	os.Exit(cli.Main(cli.App{
		Name:   "gauge",
		Prints: true,
		Usage:  "see the pressure in segments: who is slower, how full the queue is, how long messages wait",
		About: "Looks at what producers and consumers write into shared memory. It takes no part,\n" +
			"so it can come and go, and works on a pair that runs, is stopped or was killed.",
		Examples: []string{
			"gauge                            what there is",
			"gauge watch                      live, in the terminal",
			"gauge stat --name demo           everything, once",
			"gauge record --output demo.csv   a row each 10 ms, for plots",
			"gauge serve                      Prometheus metrics, and a live page, on localhost:9464",
			"gauge doctor                     what on this machine will be in the way",
			"gauge rm --name demo             remove what a dead pair has left",
		},
		Commands: []cli.App{listCommand(), statCommand(), watchCommand(), recordCommand(), serveCommand(), doctorCommand(), removeCommand(), layoutCommand()},
		Run:      func(ctx context.Context, c *urfave.Context) error { return list(ctx, false) },
	}))
}

// complaints is for what is not an error that ends the command.
var complaints = log.New(os.Stderr, "gauge: ", 0)

var errNoSegment = errors.New("there is none")

// noSegment is the error for a name that nothing stands for.
func noSegment(name string) error {
	return cli.WithHint(cli.WithSegment(name, errNoSegment), "%s", cli.OtherSegments(name))
}

// openView is shm.OpenView with an error that says what to do.
func openView(name string) (*shm.View, error) {
	v, err := shm.OpenView(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = noSegment(name)
	}
	return v, err
}

// glance is how long gauge looks at segments to tell how fast they are.
const glance = 250 * time.Millisecond

// twice looks at segments, waits, and looks again, so that there are rates to show.
func sampleTwice(ctx context.Context, f *monitor.Monitor, wait time.Duration) ([]*monitor.Pair, error) {
	if pairs, err := f.Poll(); err != nil || len(pairs) == 0 {
		return pairs, err
	}
	if err := sleep(ctx, wait); err != nil {
		return nil, err
	}
	return f.Poll()
}

// sleep returns the cause of ctx when that is done first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
