package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/trial"
	"sluice/layout"
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
			trial.Median(rates[0]), trial.Median(rates[1]), trial.Median(rates[2]), trial.Median(toNone), slices.Min(toNone), slices.Max(toNone),
			trial.Median(toRuns), slices.Min(toRuns), slices.Max(toRuns))
	}
	return nil
}

// fanOutRate returns messages a microsecond to each of three rings that block. fourth says what the
// consumer of the fourth does: none, stopped or runs.
func fanOutRate(c *urfave.Context, fourth string, bytes int) (float64, error) {
	all := trial.Names("many", 4)
	if fourth == "none" {
		all = all[:3]
	}
	defer trial.Remove(all)
	producer, err := trial.StartChild(c.Int("cpu-producers"), "child-fanout", strings.Join(all, ","), bytes, c.Uint64("messages"))
	if err != nil {
		return 0, err
	}
	defer producer.Kill()
	if _, err := producer.Line(); err != nil { // it has made its rings
		return 0, err
	}
	for i, name := range all {
		consumer, err := trial.StartChild(c.Int("cpu-consumer"), "child-consumer", name, "records")
		if err != nil {
			return 0, err
		}
		defer consumer.Kill()
		if i == 3 && fourth == "stopped" {
			if err := trial.AwaitHolder(c.Context, name, layout.Consumer); err != nil {
				return 0, err
			}
			consumer.Signal(unix.SIGSTOP)
		}
	}
	got, err := producer.Numbers()
	if err != nil {
		return 0, err
	}
	return got[0] / got[1] * 1e3, nil
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
		if err := trial.AwaitHolder(ctx, d.Name, layout.Consumer); err != nil {
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
