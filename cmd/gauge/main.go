// Command gauge shows the state of segments, in use or left over: which side is slower, how full
// the queue is, how long messages wait. It only reads, except for gauge drain and gauge rm.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"slices"
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
		Usage:  "show the pressure in segments: which side is slower, how full the queue is, how long messages wait",
		About: "Reads the counters that producers and consumers keep in shared memory. It does not affect\n" +
			"them: it can be started and stopped at any time, and works for a pair that is running,\n" +
			"stopped or killed.",
		Examples: []string{
			"gauge                            list the segments",
			"gauge watch                      live, in the terminal",
			"gauge stat --name demo           everything, once",
			"gauge record --output demo.csv   a row every 10 ms, for plots",
			"gauge peek demo                  the messages that a dead pair has left, or that wait now",
			"gauge drain demo --output left   save them, before gauge rm",
			"gauge serve                      Prometheus metrics, and a live page, on localhost:9464",
			"gauge doctor                     check this machine for problems and print fixes",
			"gauge rm --name demo             remove the segment of a pair that has exited",
		},
		Commands: []cli.App{listCommand(), statCommand(), peekCommand(), drainCommand(), watchCommand(), recordCommand(), serveCommand(), doctorCommand(), removeCommand(), layoutCommand()},
		Run:      func(ctx context.Context, c *urfave.Context) error { return list(ctx, nil, false) },
	}))
}

// logger is for messages other than the error that ends the command.
var logger = log.New(os.Stderr, "gauge: ", 0)

var errNoSegment = errors.New("not found")

// noSegment is the error for a name without a segment, or a pattern that matches none.
func noSegment(name string) error {
	err := cli.WithSegment(name, errNoSegment)
	if shm.IsPattern(name) {
		err = fmt.Errorf("no segment matches %q", name)
	}
	return cli.WithHint(err, "%s", cli.SimilarSegments(name))
}

// missing returns a noSegment for each of the names and patterns that none of the pairs is of.
func missing(names []string, pairs []*monitor.Pair) error {
	var errs []error
	for _, name := range names {
		if !slices.ContainsFunc(pairs, func(p *monitor.Pair) bool { return shm.Match(name, p.Name) }) {
			errs = append(errs, noSegment(name))
		}
	}
	return errors.Join(errs...)
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

// sampleTwice reads the segments twice, so that rates can be computed. A consumer that releases
// many messages at a time may have released none meanwhile, which says nothing of its rate: then it
// reads them again, for up to a second.
func sampleTwice(ctx context.Context, f *monitor.Monitor, wait time.Duration) ([]*monitor.Pair, error) {
	pairs, err := f.Poll()
	for waited := time.Duration(0); err == nil && len(pairs) > 0; waited += wait {
		if waited > 0 && (waited+wait > time.Second || !slices.ContainsFunc(pairs, betweenReleases)) {
			break
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		pairs, err = f.Poll()
	}
	return pairs, err
}

// betweenReleases reports whether a consumer that was there has released nothing since the first
// sample, while its producer has sent something.
func betweenReleases(p *monitor.Pair) bool {
	since := &p.LastSecond
	return p.Err == nil && since.ConsumerStayed && since.Produced > 0 && since.Consumed == 0
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
