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
	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/trial"
	"sluice/layout"
	"sluice/shm"
)

var wakeCommand = &urfave.Command{
	Name: "wake", Usage: "latency and processor time of a consumer that sleeps before each message",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rings", Value: 8},
		&urfave.IntFlag{Name: "rounds", Value: 5},
		&urfave.IntFlag{Name: "messages", Value: 3000},
		&urfave.DurationFlag{Name: "period", Value: time.Millisecond, Usage: "time between two messages, each on the next ring"},
	},
	Action: wake,
}

func wake(c *urfave.Context) error {
	counts := []int{1, c.Int("rings")}
	got := map[int][][]float64{}
	for range c.Int("rounds") {
		for _, n := range counts {
			figures, err := latency(c, n)
			if err != nil {
				return err
			}
			got[n] = append(got[n], figures)
		}
	}
	column := func(n, i int) (values []float64) {
		for _, figures := range got[n] {
			values = append(values, figures[i])
		}
		return values
	}
	fmt.Printf("| rings | p50, us | p99, us | CPU of the consumer a message, us |\n|---|---|---|---|\n")
	for _, n := range counts {
		fmt.Printf("| %d | %.1f | %.1f | %.1f |\n", n, trial.Median(column(n, 0))/1e3, trial.Median(column(n, 1))/1e3, trial.Median(column(n, 2))/1e3)
	}
	var ratios []float64
	for i := range got[1] {
		ratios = append(ratios, got[counts[1]][i][0]/got[1][i][0])
	}
	fmt.Printf("\np50 with %d rings against one: %.2f (%.2f to %.2f)\n", counts[1], trial.Median(ratios), ratios[0], ratios[len(ratios)-1])
	return nil
}

// latency returns the p50, the p99 and the CPU time a message, ns.
func latency(c *urfave.Context, rings int) ([]float64, error) {
	all := trial.Names("many", rings)
	defer trial.Remove(all)
	p, err := trial.StartChild(c.Int("cpu-producers"), "child-paced", strings.Join(all, ","), c.Int("messages"), c.Duration("period"))
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	if _, err := p.Line(); err != nil {
		return nil, err
	}
	consumer, err := trial.StartChild(c.Int("cpu-consumer"), "child-latency", strings.Join(all, ","), c.Int("messages"))
	if err != nil {
		return nil, err
	}
	defer consumer.Kill()
	return consumer.Numbers()
}

// producePaced sends the time, on one ring after the other.
func producePaced(ctx context.Context, args []string) error {
	messages, _ := strconv.Atoi(args[1])
	period, _ := time.ParseDuration(args[2])
	var to []sluice.Producer
	for _, name := range strings.Split(args[0], ",") {
		p, err := sluice.Create(ctx, name, sluice.ProducerOptions{})
		if err != nil {
			return err
		}
		defer p.Close()
		to = append(to, p)
	}
	fmt.Println("ready")
	for _, p := range to {
		waitForConsumer(p.Segment())
	}
	next := now()
	for i := range messages {
		next += int64(period)
		at := unix.NsecToTimespec(next)
		for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) != nil {
		}
		if err := to[i%len(to)].Send(ctx, binary.LittleEndian.AppendUint64(nil, uint64(now()))); err != nil {
			return err
		}
	}
	return nil
}

func consumeLatency(ctx context.Context, args []string) error {
	messages, _ := strconv.Atoi(args[1])
	all := strings.Split(args[0], ",")
	next, release, err := taker(ctx, all)
	if err != nil {
		return err
	}
	var times []float64
	began := int64(0)
	const warmUp = 100
	for i := range messages {
		msg, err := next(ctx)
		if err != nil {
			return err
		}
		if i == warmUp {
			began = cpuTime()
		}
		if i >= warmUp {
			times = append(times, float64(now()-int64(binary.LittleEndian.Uint64(msg))))
		}
		release()
	}
	used := float64(cpuTime()-began) / float64(len(times))
	slices.Sort(times)
	fmt.Println(times[len(times)/2], times[len(times)*99/100], used)
	return nil
}

// taker returns the calls of a Consumer of one ring, or of a FanIn of several.
func taker(ctx context.Context, all []string) (next func(context.Context) ([]byte, error), release func(), err error) {
	if len(all) == 1 {
		c, err := sluice.Open(ctx, all[0], sluice.ConsumerOptions{})
		if err != nil {
			return nil, nil, err
		}
		return c.Next, c.Release, nil
	}
	f, err := sluice.OpenFanIn(ctx, all, sluice.FanInOptions{})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) ([]byte, error) {
		msg, _, err := f.Next(ctx)
		return msg, err
	}, f.Release, nil
}

// now returns the monotonic clock, ns.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// cpuTime returns the processor time of this process, ns.
func cpuTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return unix.TimevalToNsec(u.Utime) + unix.TimevalToNsec(u.Stime)
}

func waitForConsumer(seg *shm.Segment) {
	for seg.Absent(layout.Consumer) {
		time.Sleep(time.Millisecond)
	}
}

var idleCommand = &urfave.Command{
	Name: "idle", Usage: "processor time of a consumer of idle rings",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rings", Value: 64},
		&urfave.DurationFlag{Name: "time", Value: 10 * time.Second},
	},
	Action: func(c *urfave.Context) error {
		all := trial.Names("many", c.Int("rings"))
		defer trial.Remove(all)
		holder, err := trial.StartChild(-1, "child-holder", strings.Join(all, ","))
		if err != nil {
			return err
		}
		defer holder.Kill()
		if _, err := holder.Line(); err != nil {
			return err
		}
		for _, form := range []string{"next", "ready"} {
			consumer, err := trial.StartChild(-1, "child-idle", strings.Join(all, ","), c.Duration("time"), form)
			if err != nil {
				return err
			}
			used, err := consumer.Numbers()
			if err != nil {
				return err
			}
			<-consumer.Ended()
			fmt.Printf("%d idle rings, %v, waiting by %s: %.1f ms of processor\n", len(all), c.Duration("time"), form, used[0]/1e6)
		}
		return nil
	},
}

// hold holds rings without sending anything.
func hold(ctx context.Context, args []string) error {
	for _, name := range strings.Split(args[0], ",") {
		if _, err := sluice.Create(ctx, name, sluice.ProducerOptions{Capacity: 4096}); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

func consumeIdle(ctx context.Context, args []string) error {
	period, _ := time.ParseDuration(args[1])
	f, err := sluice.OpenFanIn(ctx, strings.Split(args[0], ","), sluice.FanInOptions{})
	if err != nil {
		return err
	}
	began := cpuTime()
	ctx, cancel := context.WithTimeout(ctx, period)
	defer cancel()
	if args[2] == "ready" {
		select {
		case <-f.Ready():
			return fmt.Errorf("ready")
		case <-ctx.Done():
		}
	} else if _, _, err := f.Next(ctx); err != context.DeadlineExceeded {
		return fmt.Errorf("next: %v", err)
	}
	used := cpuTime() - began
	err = f.Close()
	fmt.Println(used)
	return err
}
