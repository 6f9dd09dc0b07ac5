package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	urfave "github.com/urfave/cli/v2"

	"sluice/internal/trial"
)

var throughputCommand = &urfave.Command{
	Name: "throughput", Usage: "rate from a ring through a stream to a ring, beside plain NATS through the same server",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rounds", Value: 5},
		&urfave.Float64Flag{Name: "scale", Value: 1, Usage: "send this share of the messages"},
		&urfave.StringFlag{Name: "jobs", Usage: "only those that contain `TEXT`: slots of 8 B, memory"},
		&urfave.Uint64Flag{Name: "capacity", Value: 8 << 20, Usage: "bytes of each of the two rings"},
	},
	Action: throughput,
}

// job is one row of the table.
type job struct {
	form    string // see send
	bytes   int    // of a message
	storage jetstream.StorageType
	count   uint64  // messages through the bridge, and in blocks through plain NATS
	single  uint64  // messages through plain NATS, each by itself
	floor   float64 // what is asked of the bridge with a memory stream, in the unit; 0 = nothing
}

func (j *job) unit() (name string, perMessage float64) {
	if j.bytes == 8 {
		return "M/s", 1e-6
	}
	return "MB/s", float64(j.bytes) * 1e-6
}

func (j *job) String() string {
	size := fmt.Sprint(j.bytes, " B")
	if j.bytes >= 1024 {
		size = fmt.Sprint(j.bytes/1024, " KiB")
	}
	return fmt.Sprintf("%s of %s, %s", j.form, size, word(j.storage))
}

// throughput prints the rates of interleaved rounds.
func throughput(c *urfave.Context) (err error) {
	x, clean := newCommands(c, &err)
	defer clean()
	var jobs []*job
	for _, storage := range []jetstream.StorageType{jetstream.MemoryStorage, jetstream.FileStorage} {
		for _, j := range []job{
			{form: "slots", bytes: 8, count: 40e6, single: 400e3, floor: 5},
			{form: "records", bytes: 8, count: 30e6, single: 400e3, floor: 5},
			{form: "records", bytes: 64 << 10, count: 12e3, single: 12e3, floor: 300},
		} {
			j.storage = storage
			if storage != jetstream.MemoryStorage {
				j.floor = 0
			}
			if strings.Contains(j.String(), c.String("jobs")) {
				jobs = append(jobs, &j)
			}
		}
	}
	type figures struct{ bridge, blocks, single, ratios, block []float64 }
	all := make([]figures, len(jobs))
	for range c.Int("rounds") {
		for i, j := range jobs {
			f := &all[i]
			_, unit := j.unit()
			count, single := scaled(c, j.count), scaled(c, j.single)
			rate, batch, err := bridgeRate(c, x, j, count)
			if err != nil {
				return fmt.Errorf("%v: bridge: %w", j, err)
			}
			blocks, err := plainRate(c, x, j, max(1, int(batch+0.5)), count)
			if err != nil {
				return fmt.Errorf("%v: plain NATS in blocks: %w", j, err)
			}
			one, err := plainRate(c, x, j, 1, single)
			if err != nil {
				return fmt.Errorf("%v: plain NATS: %w", j, err)
			}
			f.bridge, f.blocks, f.single = append(f.bridge, rate*unit), append(f.blocks, blocks*unit), append(f.single, one*unit)
			f.ratios, f.block = append(f.ratios, rate/blocks), append(f.block, batch*float64(j.bytes)/1024)
		}
	}
	fmt.Println("| messages, stream | bridge | asked | plain NATS, a message each | plain NATS, blocks as large as the bridge's | bridge against blocks, median (range) | a block, KiB |\n|---|---|---|---|---|---|---|")
	for i, j := range jobs {
		f := &all[i]
		unit, _ := j.unit()
		asked := "-"
		if j.floor > 0 {
			asked = fmt.Sprintf("%.0f", j.floor)
		}
		ratio := trial.Median(f.ratios)
		fmt.Printf("| %v | %s %s | %s | %s | %s | %.2f (%.2f to %.2f) | %.0f |\n", j, digits(trial.Median(f.bridge)), unit, asked,
			digits(trial.Median(f.single)), digits(trial.Median(f.blocks)), ratio, slices.Min(f.ratios), slices.Max(f.ratios), trial.Median(f.block))
	}
	return nil
}

func scaled(c *urfave.Context, n uint64) uint64 { return max(1, uint64(float64(n)*c.Float64("scale"))) }

// digits returns v with three significant digits, or as a whole number.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// bridgeRate returns messages a second from when the near producer begins until the far consumer
// has the last one, and how many were in a message of NATS on average.
func bridgeRate(c *urfave.Context, x commands, j *job, count uint64) (rate, batch float64, err error) {
	s, err := x.newServer(c.Context)
	if err != nil {
		return 0, 0, err
	}
	defer s.end()
	r, remove := newRoute(s)
	defer remove()
	r.outArgs = []any{"--storage", word(j.storage), "--max-bytes", maxBytes}
	producer, err := trial.StartChild(-1, "child-send", r.near, j.form, c.Uint64("capacity"), j.bytes, count)
	if err != nil {
		return 0, 0, err
	}
	defer producer.Kill()
	if _, err := producer.Line(); err != nil { // it has made the near ring
		return 0, 0, err
	}
	consumer, err := trial.StartChild(-1, "child-take", r.far, j.form)
	if err != nil {
		return 0, 0, err
	}
	defer consumer.Kill()
	defer r.end()
	if err := r.begin(); err != nil {
		return 0, 0, err
	}
	if err := r.ready(c.Context); err != nil {
		return 0, 0, err
	}
	rate, err = rateOf(producer, consumer, count)
	if err != nil {
		return 0, 0, err
	}
	info, err := s.info(c.Context)
	if err != nil {
		return 0, 0, err
	}
	const openAndEnd = 2
	return rate, float64(count) / float64(info.State.LastSeq-openAndEnd), nil
}

// plainRate is bridgeRate without rings and bridges: one process publishes, another one pulls.
// Each message of NATS has batch messages.
func plainRate(c *urfave.Context, x commands, j *job, batch int, count uint64) (float64, error) {
	s, err := x.newServer(c.Context)
	if err != nil {
		return 0, err
	}
	defer s.end()
	if err := makeStream(c.Context, s, j.storage); err != nil {
		return 0, err
	}
	consumer, err := trial.StartChild(-1, "child-pull", s.url(), j.bytes, batch, count)
	if err != nil {
		return 0, err
	}
	defer consumer.Kill()
	producer, err := trial.StartChild(-1, "child-publish", s.url(), j.bytes, batch, count)
	if err != nil {
		return 0, err
	}
	defer producer.Kill()
	for _, p := range []*trial.Process{producer, consumer} {
		if _, err := p.Line(); err != nil {
			return 0, err
		}
	}
	return rateOf(producer, consumer, count)
}

// rateOf lets a producer begin and returns messages a second, once both sides have ended.
func rateOf(producer, consumer *trial.Process, count uint64) (float64, error) {
	if err := producer.Tell("go"); err != nil {
		return 0, err
	}
	began, err := producer.Numbers()
	if err != nil {
		return 0, err
	}
	got, err := consumer.Numbers() // messages, when it had the last one, how many were wrong
	if err != nil {
		return 0, err
	}
	if got[0] != float64(count) || got[2] != 0 {
		return 0, fmt.Errorf("%.0f of %d messages came, %.0f of them wrong", got[0], count, got[2])
	}
	for _, p := range []*trial.Process{producer, consumer} {
		if err := p.Wait(10 * time.Second); err != nil {
			return 0, err
		}
	}
	return float64(count) / (got[1] - began[0]) * 1e9, nil
}

// word returns memory or file.
func word(storage jetstream.StorageType) string { return strings.ToLower(storage.String()) }
