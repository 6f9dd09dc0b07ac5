package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/internal/follow"
)

func recordCommand() command.App {
	return command.App{
		Name:  "record",
		Usage: "write a row of figures each interval until the pair ends",
		About: "Waits for the segment if there is none yet. The output is CSV with a header line; times\nare seconds since the first row.",
		Examples: []string{
			"gauge record --name demo --output demo.csv",
			"gauge record --interval 1s --output - | column -ts,",
		},
		Flags: []cli.Flag{
			command.NameFlag("demo"),
			&cli.DurationFlag{Name: "interval", Value: 10 * time.Millisecond, Usage: "`TIME` between two rows"},
			&cli.DurationFlag{Name: "duration", Usage: "stop after this `TIME`; 0 = no limit"},
			&cli.StringFlag{Name: "output", Value: "-", Usage: "write to `FILE`, which is replaced; - for standard output"},
		},
		File: "name",
		Run:  record,
	}
}

// column is a figure of a row.
type column struct {
	name  string
	value func(p *follow.Pair) string
}

func number(n uint64) string   { return strconv.FormatUint(n, 10) }
func decimal(x float64) string { return strconv.FormatFloat(x, 'f', 6, 64) }

// columns are named as the keys of the reports; those of an interval are of the
// time since the row before.
var columns = []column{
	{"producedCount", func(p *follow.Pair) string { return number(p.Now.Produced) }},
	{"consumedCount", func(p *follow.Pair) string { return number(p.Now.Consumed) }},
	{"queueDepth", func(p *follow.Pair) string { return number(p.Now.Depth()) }},
	{"queueBytes", func(p *follow.Pair) string { return number(p.Now.QueueBytes) }},
	{"fill", func(p *follow.Pair) string { return decimal(p.Now.Fill()) }},
	{"throughputPerSec", func(p *follow.Pair) string { return decimal(p.Step.Throughput) }},
	{"producerWaits", func(p *follow.Pair) string { return number(p.Now.Producer.Waits) }},
	{"consumerWaits", func(p *follow.Pair) string { return number(p.Now.Consumer.Waits) }},
	{"producerWaitSec", func(p *follow.Pair) string { return decimal(p.Now.Producer.Blocked.Seconds()) }},
	{"consumerWaitSec", func(p *follow.Pair) string { return decimal(p.Now.Consumer.Blocked.Seconds()) }},
	{"blockedCount", func(p *follow.Pair) string { return number(p.Now.Refused) }},
	{"droppedCount", func(p *follow.Pair) string { return number(p.Now.Dropped) }},
	{"lostCount", func(p *follow.Pair) string { return number(p.Now.Lost) }},
	{"fdsInFlight", func(p *follow.Pair) string { return number(p.Now.Descriptors) }},
	{"memoryBytes", func(p *follow.Pair) string { return number(p.Now.Memory) }},
	{"latencyP50", func(p *follow.Pair) string { return latency(p, 0.5) }},
	{"latencyP99", func(p *follow.Pair) string { return latency(p, 0.99) }},
	{"verdict", func(p *follow.Pair) string { return string(p.Verdict.Kind) }},
}

// latency is in nanoseconds, empty where nothing was sampled.
func latency(p *follow.Pair, q float64) string {
	if p.Step.Latency.Count == 0 {
		return ""
	}
	return number(uint64(p.Step.Latency.Quantile(q)))
}

func record(ctx context.Context, c *cli.Context) error {
	name, err := command.GetName(c)
	if err != nil {
		return err
	}
	interval := c.Duration("interval")
	if interval <= 0 {
		return command.Usage("--interval %v: more than 0", interval)
	}
	ctx, stop := command.WithDuration(ctx, c.Duration("duration"))
	defer stop()
	var out io.WriteCloser = os.Stdout
	if path := c.String("output"); path != "-" {
		if out, err = os.Create(path); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	w := csv.NewWriter(out)
	err = command.Orderly(rows(ctx, name, interval, w))
	w.Flush()
	return errors.Join(err, w.Error(), out.Close())
}

// rows writes a row at each tick until the pair has ended. The last row is of
// that time.
func rows(ctx context.Context, name string, interval time.Duration, w *csv.Writer) error {
	head := []string{"timeSec"}
	for _, col := range columns {
		head = append(head, col.name)
	}
	if err := w.Write(head); err != nil {
		return err
	}
	f := follow.New(name, 1)
	defer f.Close()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var began uint64
	for met := false; ; {
		pairs, err := f.Look()
		switch {
		case err != nil:
			return err
		case len(pairs) == 0 && met:
			return nil // the last side has removed it
		case len(pairs) > 0 && pairs[0].Err != nil:
			return pairs[0].Err
		case len(pairs) > 0:
			p := pairs[0]
			if began == 0 {
				began = p.Now.At
			}
			if err := w.Write(row(p, began)); err != nil {
				return fmt.Errorf("output: %w", err)
			}
			anybody := p.Now.Producer.Alive || p.Now.Consumer.Alive
			if met && !anybody {
				return nil
			}
			met = met || anybody
		}
		if w.Flush(); w.Error() != nil {
			return fmt.Errorf("output: %w", w.Error())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func row(p *follow.Pair, began uint64) []string {
	cells := []string{decimal(float64(p.Now.At-began) / 1e9)}
	for _, col := range columns {
		cells = append(cells, col.value(p))
	}
	return cells
}
