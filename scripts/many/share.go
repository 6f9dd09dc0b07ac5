package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/trial"
)

var shareCommand = &urfave.Command{
	Name: "share", Usage: "bytes of each ring while the consumer is the bottleneck and no ring is ever empty, and the wait of a trickle",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rings", Value: 8},
		&urfave.DurationFlag{Name: "time", Value: 10 * time.Second},
		&urfave.DurationFlag{Name: "work", Value: 2 * time.Microsecond, Usage: "on each message"},
	},
	Action: func(c *urfave.Context) error {
		if err := share(c, slices.Repeat([]int{1}, c.Int("rings"))); err != nil {
			return err
		}
		weights := make([]int, c.Int("rings"))
		for i := range weights {
			weights[i] = 1 + i%4
		}
		return share(c, weights)
	},
}

func share(c *urfave.Context, weights []int) error {
	all := trial.Names("many", len(weights)+1) // the last one is the trickle
	defer trial.Remove(all)
	for i, name := range all {
		args := []any{name, 1 << 17, "records", 56 + 64*(i%3), uint64(1) << 60}
		command := "child-producer"
		if i == len(weights) {
			command, args = "child-paced", []any{name, 1 << 30, 10 * time.Millisecond}
		}
		p, err := trial.StartChild(c.Int("cpu-producers"), command, args...)
		if err != nil {
			return err
		}
		defer p.Kill()
		if _, err := p.Line(); err != nil {
			return err
		}
	}
	consumer, err := trial.StartChild(c.Int("cpu-consumer"), "child-share", strings.Join(all, ","), strings.Trim(fmt.Sprint(append(weights, 1)), "[]"), c.Duration("time"), c.Duration("work"))
	if err != nil {
		return err
	}
	defer consumer.Kill()
	got, err := consumer.Numbers() // bytes of each ring, times that one was empty, and of the trickle messages, p50, max, longest other bytes between
	if err != nil {
		return err
	}
	bytes, rest := got[:len(weights)], got[len(weights):]
	var sum, squares, total, weight float64
	for i, b := range bytes {
		x := b / float64(weights[i])
		sum, squares, total, weight = sum+x, squares+x*x, total+b, weight+float64(weights[i])
	}
	off := 0.0
	for i, b := range bytes {
		if d := b/total*weight/float64(weights[i]) - 1; max(d, -d) > off {
			off = max(d, -d)
		}
	}
	fmt.Printf("weights %v: Jain's index %.6f of bytes by weight, %.2f %% off at most; looks at an empty ring: %.0f; "+
		"trickle: %.0f messages, p50 %.0f us, max %.0f us, at most %.0f bytes of the others first (a round has %.0f)\n",
		weights, sum*sum/(float64(len(bytes))*squares), off*100, rest[0], rest[1], rest[2]/1e3, rest[3]/1e3, rest[4], weight*4096)
	return nil
}

func consumeShare(ctx context.Context, args []string) error {
	all := strings.Split(args[0], ",")
	weights := strings.Fields(args[1])
	period, _ := time.ParseDuration(args[2])
	work, _ := time.ParseDuration(args[3])
	f, err := sluice.OpenFanIn(ctx, all, sluice.FanInOptions{Weight: func(name string) int {
		n, _ := strconv.Atoi(weights[slices.Index(all, name)])
		return n
	}})
	if err != nil {
		return err
	}
	trickle := all[len(all)-1]
	bytes := map[string]int{}
	var waits []float64
	empty, between, longest := 0, 0, 0
	sources := f.Sources()
	for began := time.Now(); time.Since(began) < period; {
		msg, from, err := f.Next(ctx)
		if err != nil {
			return err
		}
		if from.Name() == trickle {
			sent := int64(binary.LittleEndian.Uint64(msg))
			waits = append(waits, float64(now()-sent))
			longest = max(longest, between)
		} else {
			bytes[from.Name()] += len(msg) + 8
			between += len(msg) + 8
			for began := now(); now()-began < int64(work); {
			}
		}
		f.Release()
		for _, s := range sources {
			waiting := s.Unread()
			switch {
			case s.Name() != trickle && waiting == 0:
				empty++
			case s.Name() == trickle && waiting == 0:
				between = 0
			}
		}
	}
	for _, name := range all[:len(all)-1] {
		fmt.Print(bytes[name], " ")
	}
	slices.Sort(waits)
	fmt.Println(empty, len(waits), waits[len(waits)/2], waits[len(waits)-1], longest)
	return nil
}
