package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice"
	"sluice/layout"
	"sluice/shm"
)

var stoppedCommand = &urfave.Command{
	Name: "stopped", Usage: "rate of one producer into 3 rings that block, with and without a fourth that drops, whose consumer runs or is stopped",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rounds", Value: 5},
		&urfave.Uint64Flag{Name: "messages", Value: 5e6, Usage: "to each ring, in each run"},
	},
	Action: stopped,
}

func stopped(c *urfave.Context) error {
	fmt.Println("| message | no fourth ring, M/s | its consumer stopped | its consumer runs | stopped against none, median (range) | stopped against runs |\n|---|---|---|---|---|---|")
	for _, bytes := range []int{8, 64} {
		var rates [3][]float64
		var toNone, toRuns []float64
		for range c.Int("rounds") {
			var round [3]float64
			for i, fourth := range []string{"none", "stopped", "runs"} {
				rate, err := fanOutRate(c, fourth, bytes)
				if err != nil {
					return err
				}
				round[i], rates[i] = rate, append(rates[i], rate)
			}
			toNone, toRuns = append(toNone, round[1]/round[0]), append(toRuns, round[1]/round[2])
		}
		fmt.Printf("| %d B | %.1f | %.1f | %.1f | %.2f (%.2f to %.2f) | %.2f (%.2f to %.2f) |\n", bytes,
			median(rates[0]), median(rates[1]), median(rates[2]), median(toNone), slices.Min(toNone), slices.Max(toNone),
			median(toRuns), slices.Min(toRuns), slices.Max(toRuns))
	}
	return nil
}

// fanOutRate returns messages a microsecond to each of three rings that block. fourth says what the
// consumer of the fourth does: none, stopped or runs.
func fanOutRate(c *urfave.Context, fourth string, bytes int) (float64, error) {
	all := names(4)
	if fourth == "none" {
		all = all[:3]
	}
	defer remove(all)
	producer, err := start(c.Int("cpu-producers"), "child-fanout", strings.Join(all, ","), bytes, c.Uint64("messages"))
	if err != nil {
		return 0, err
	}
	defer producer.kill()
	if _, err := producer.line(); err != nil { // it has made its rings
		return 0, err
	}
	for i, name := range all {
		consumer, err := start(c.Int("cpu-consumer"), "child-consumer", name, "records")
		if err != nil {
			return 0, err
		}
		defer consumer.kill()
		if i == 3 && fourth == "stopped" {
			if err := errors.Join(awaitConsumer(name), consumer.cmd.Process.Signal(unix.SIGSTOP)); err != nil {
				return 0, err
			}
		}
	}
	got, err := producer.numbers()
	if err != nil {
		return 0, err
	}
	return got[0] / got[1] * 1e3, nil
}

// awaitConsumer waits until a ring has a consumer.
func awaitConsumer(name string) error {
	view, err := shm.OpenView(name)
	if err != nil {
		return err
	}
	defer view.Close()
	for {
		if alive, err := view.Alive(layout.Consumer); alive || err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// fanOut sends messages to rings of which all but the fourth block, once each has a consumer, and
// prints how many and the ns.
func fanOut(ctx context.Context, args []string) error {
	bytes, _ := strconv.Atoi(args[1])
	count, _ := strconv.ParseUint(args[2], 10, 64)
	var to []sluice.Destination
	for i, name := range strings.Split(args[0], ",") {
		to = append(to, sluice.Destination{Name: name, OnSlow: sluice.Block})
		if i == 3 {
			to[i].OnSlow = sluice.Drop
		}
	}
	f, err := sluice.CreateFanOut(ctx, to, sluice.FanOutOptions{})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for _, d := range to {
		if err := awaitConsumer(d.Name); err != nil {
			return err
		}
	}
	time.Sleep(100 * time.Millisecond) // until a consumer that is to be stopped is
	msg, began := make([]byte, bytes), time.Now()
	for range count {
		if err := f.Send(ctx, msg); err != nil {
			return err
		}
	}
	took := time.Since(began)
	fmt.Println(count, took.Nanoseconds())
	return f.Close()
}
