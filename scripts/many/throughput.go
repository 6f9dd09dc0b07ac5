package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/trial"
)

var throughputCommand = &urfave.Command{
	Name: "throughput", Usage: "rate of several producers into one consumer, against one ring of the same memory",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rings", Value: 8},
		&urfave.IntFlag{Name: "rounds", Value: 5},
		&urfave.StringFlag{Name: "jobs", Usage: "only those that contain `TEXT`: records 8, values"},
		&urfave.Uint64Flag{Name: "capacity", Value: 1 << 20, Usage: "bytes of all rings together"},
	},
	Action: throughput,
}

// throughput prints the rates of interleaved rounds.
func throughput(c *urfave.Context) error {
	rings := c.Int("rings")
	fmt.Printf("| message | one ring, M/s | %d rings, M/s | ratio, median (range) |\n|---|---|---|---|\n", rings)
	for _, kind := range []struct {
		form  string
		bytes int
		total uint64
	}{{"records", 8, 40e6}, {"records", 64, 16e6}, {"records", 1024, 3e6}, {"values", 8, 60e6}} {
		if !strings.Contains(fmt.Sprint(kind.form, " ", kind.bytes, " "), c.String("jobs")) {
			continue
		}
		var one, many, ratios []float64
		for range c.Int("rounds") {
			a, err := rate(c, 1, kind.form, kind.bytes, kind.total)
			if err != nil {
				return err
			}
			b, err := rate(c, rings, kind.form, kind.bytes, kind.total)
			if err != nil {
				return err
			}
			one, many, ratios = append(one, a), append(many, b), append(ratios, b/a)
		}
		m := trial.Median(ratios)
		fmt.Printf("| %s of %d B | %.1f | %.1f | %.2f (%.2f to %.2f) |\n", kind.form, kind.bytes, trial.Median(one), trial.Median(many), m, ratios[0], ratios[len(ratios)-1])
	}
	return nil
}

// rate returns messages a microsecond.
func rate(c *urfave.Context, rings int, form string, bytes int, total uint64) (float64, error) {
	all := trial.Names("many", rings)
	defer trial.Remove(all)
	each := total / uint64(rings)
	for _, name := range all {
		p, err := trial.StartChild(c.Int("cpu-producers"), "child-producer", name, c.Uint64("capacity")/uint64(rings), form, bytes, each)
		if err != nil {
			return 0, err
		}
		defer p.Kill()
		if _, err := p.Line(); err != nil { // it has made its ring, and waits for a consumer
			return 0, err
		}
	}
	consumer, err := trial.StartChild(c.Int("cpu-consumer"), "child-consumer", strings.Join(all, ","), form)
	if err != nil {
		return 0, err
	}
	defer consumer.Kill()
	got, err := consumer.Numbers()
	if err != nil {
		return 0, err
	}
	if messages, sum := got[0], got[2]; messages != float64(each)*float64(rings) || sum != float64(rings)*float64(each%2) {
		return 0, fmt.Errorf("%v messages with the check %v", messages, sum)
	}
	return got[0] / got[1] * 1e3, nil
}

// produce sends messages, once its ring has a consumer.
func produce(ctx context.Context, args []string) error {
	capacity, _ := strconv.ParseUint(args[1], 10, 64)
	bytes, _ := strconv.Atoi(args[3])
	count, _ := strconv.ParseUint(args[4], 10, 64)
	opt := sluice.ProducerOptions{Capacity: capacity}
	if args[2] == "values" {
		p, err := sluice.CreateOf[uint64](ctx, args[0], opt)
		if err != nil {
			return err
		}
		fmt.Println("ready")
		waitForConsumer(p.Segment())
		for i := range count {
			if err := p.Push(ctx, i&1); err != nil {
				return err
			}
		}
		return errors.Join(p.Drain(ctx), p.Close())
	}
	p, err := sluice.Create(ctx, args[0], opt)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	waitForConsumer(p.Segment())
	msg := make([]byte, bytes)
	for i := range count {
		for at := 0; at < bytes; at += 8 {
			binary.LittleEndian.PutUint64(msg[at:], i&1)
		}
		if err := p.Send(ctx, msg); err != nil {
			return err
		}
	}
	return errors.Join(p.Drain(ctx), p.Close())
}

// consume takes everything and prints the messages, the ns, and a sum of words that is known: each
// word is 0 or 1 in turn, and counts with that sign.
func consume(ctx context.Context, args []string) error {
	all := strings.Split(args[0], ",")
	var messages uint64
	var sum int64
	var began time.Time
	note := func(n int) {
		if messages == 0 {
			began = time.Now()
		}
		messages += uint64(n)
	}
	err := error(nil)
	switch {
	case args[1] == "values" && len(all) == 1:
		var c *sluice.ConsumerOf[uint64]
		if c, err = sluice.OpenOf[uint64](ctx, all[0], sluice.ConsumerOptions{}); err != nil {
			return err
		}
		for {
			var window []uint64
			if window, err = c.Window(ctx, 512); err != nil {
				break
			}
			sum += addValues(window)
			note(len(window))
			c.Release()
		}
	case args[1] == "values":
		var f *sluice.FanInOf[uint64]
		if f, err = sluice.OpenFanInOf[uint64](ctx, all, sluice.FanInOptions{}); err != nil {
			return err
		}
		for {
			var window []uint64
			if window, _, err = f.Window(ctx, 512); err != nil {
				break
			}
			sum += addValues(window)
			note(len(window))
			f.Release()
		}
	default:
		var next func(context.Context, [][]byte, int) (int, error)
		var release func()
		if len(all) == 1 {
			c, err := sluice.Open(ctx, all[0], sluice.ConsumerOptions{})
			if err != nil {
				return err
			}
			next, release = c.NextBatch, c.Release
		} else {
			f, err := sluice.OpenFanIn(ctx, all, sluice.FanInOptions{})
			if err != nil {
				return err
			}
			next = func(ctx context.Context, msgs [][]byte, most int) (int, error) {
				n, _, err := f.NextBatch(ctx, msgs, most)
				return n, err
			}
			release = f.Release
		}
		msgs := make([][]byte, 512)
		for {
			var n int
			n, err = next(ctx, msgs, 1<<16)
			for _, msg := range msgs[:n] {
				var words uint64
				for ; len(msg) >= 8; msg = msg[8:] {
					words |= binary.LittleEndian.Uint64(msg)
				}
				sum += 1 - 2*int64(words)
			}
			note(n)
			release()
			if err != nil {
				break
			}
		}
	}
	if err != io.EOF {
		return err
	}
	fmt.Println(messages, time.Since(began).Nanoseconds(), sum)
	return nil
}

func addValues(window []uint64) (sum int64) {
	for _, v := range window {
		sum += 1 - 2*int64(v)
	}
	return sum
}
