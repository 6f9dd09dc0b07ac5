package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/monotonic"
	"sluice/internal/trial"
)

var latencyCommand = &urfave.Command{
	Name: "latency", Usage: "response times from ring to ring under an open-loop load, beside plain NATS with the same schedule",
	Flags: []urfave.Flag{
		&urfave.IntFlag{Name: "rounds", Value: 5},
		&urfave.IntFlag{Name: "messages", Value: 10_000, Usage: "in each run"},
		&urfave.DurationFlag{Name: "period", Value: time.Millisecond, Usage: "time between two messages that are due"},
	},
	Action: latency,
}

// warmUp is how many messages at the beginning of a run are not timed.
const warmUp = 500

// latency prints response times: from when a message was due until the far consumer has it.
func latency(c *urfave.Context) (err error) {
	x, clean := newCommands(c, &err)
	defer clean()
	rows := []struct {
		title   string
		run     func(*urfave.Context, commands, jetstream.StorageType) ([]float64, error)
		storage jetstream.StorageType
		got     [3][]float64 // p50, p99, max
	}{
		{title: "bridge, memory", run: bridgeResponse, storage: jetstream.MemoryStorage},
		{title: "plain NATS, memory", run: plainResponse, storage: jetstream.MemoryStorage},
		{title: "bridge, file", run: bridgeResponse, storage: jetstream.FileStorage},
		{title: "plain NATS, file", run: plainResponse, storage: jetstream.FileStorage},
	}
	for range c.Int("rounds") {
		for i := range rows {
			r := &rows[i]
			got, err := r.run(c, x, r.storage)
			if err != nil {
				return fmt.Errorf("%s: %w", r.title, err)
			}
			for k := range r.got {
				r.got[k] = append(r.got[k], got[k]/1e3)
			}
		}
	}
	fmt.Println("| | p50, us (range) | p99, us (range) | max, us |\n|---|---|---|---|")
	for i := range rows {
		r := &rows[i]
		p50, p99 := trial.Median(r.got[0]), trial.Median(r.got[1])
		fmt.Printf("| %s | %.0f (%.0f to %.0f) | %.0f (%.0f to %.0f) | %.0f |\n", r.title,
			p50, slices.Min(r.got[0]), slices.Max(r.got[0]), p99, slices.Min(r.got[1]), slices.Max(r.got[1]), trial.Median(r.got[2]))
	}
	return nil
}

func bridgeResponse(c *urfave.Context, x commands, storage jetstream.StorageType) ([]float64, error) {
	s, err := x.newServer(c.Context)
	if err != nil {
		return nil, err
	}
	defer s.end()
	r, remove := newRoute(s)
	defer remove()
	r.outArgs = []any{"--storage", word(storage)}
	producer, err := trial.StartChild(-1, "child-due", r.near, c.Int("messages"), c.Duration("period"))
	if err != nil {
		return nil, err
	}
	defer producer.Kill()
	if _, err := producer.Line(); err != nil { // it has made the near ring
		return nil, err
	}
	consumer, err := trial.StartChild(-1, "child-response", r.far)
	if err != nil {
		return nil, err
	}
	defer consumer.Kill()
	defer r.end()
	if err := r.begin(); err != nil {
		return nil, err
	}
	if err := r.ready(c.Context); err != nil {
		return nil, err
	}
	return responses(producer, consumer, c.Int("messages"))
}

func plainResponse(c *urfave.Context, x commands, storage jetstream.StorageType) ([]float64, error) {
	s, err := x.newServer(c.Context)
	if err != nil {
		return nil, err
	}
	defer s.end()
	if err := makeStream(c.Context, s, storage); err != nil {
		return nil, err
	}
	consumer, err := trial.StartChild(-1, "child-pull-due", s.url(), c.Int("messages"))
	if err != nil {
		return nil, err
	}
	defer consumer.Kill()
	producer, err := trial.StartChild(-1, "child-publish-due", s.url(), c.Int("messages"), c.Duration("period"))
	if err != nil {
		return nil, err
	}
	defer producer.Kill()
	for _, p := range []*trial.Process{producer, consumer} {
		if _, err := p.Line(); err != nil {
			return nil, err
		}
	}
	return responses(producer, consumer, c.Int("messages"))
}

// responses lets a producer begin and returns the p50, p99 and maximum of what its consumer prints.
func responses(producer, consumer *trial.Process, messages int) ([]float64, error) {
	if err := producer.Tell("go"); err != nil {
		return nil, err
	}
	got, err := consumer.Numbers()
	if err != nil {
		return nil, err
	}
	if got[0] != float64(messages) {
		return nil, fmt.Errorf("%.0f of %d messages came", got[0], messages)
	}
	return got[1:], nil
}

// eachDue calls send with the time when each of n messages is due, no sooner. What holds it up does
// not move the schedule.
func eachDue(n int, period time.Duration, send func(due uint64) error) error {
	begin()
	due := monotonic.Now()
	for range n {
		due += uint64(period)
		at := unix.NsecToTimespec(int64(due))
		for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) != nil {
		}
		if err := send(due); err != nil {
			return err
		}
	}
	return nil
}

func sendDue(ctx context.Context, args []string) error {
	messages, _ := strconv.Atoi(args[1])
	period, _ := time.ParseDuration(args[2])
	p, err := sluice.Create(ctx, args[0], sluice.ProducerOptions{})
	if err != nil {
		return err
	}
	err = eachDue(messages, period, func(due uint64) error {
		return p.Send(ctx, binary.LittleEndian.AppendUint64(nil, due))
	})
	return errors.Join(err, p.Close())
}

func publishDue(ctx context.Context, args []string) error {
	messages, _ := strconv.Atoi(args[1])
	period, _ := time.ParseDuration(args[2])
	nc, js, err := connect(args[0])
	if err != nil {
		return err
	}
	defer nc.Close()
	err = eachDue(messages, period, func(due uint64) error {
		_, err := js.PublishAsync(plainSubject, binary.LittleEndian.AppendUint64(nil, due))
		return err
	})
	if err != nil {
		return err
	}
	<-js.PublishAsyncComplete()
	return nil
}

// timings are response times, ns.
type timings struct {
	messages int
	times    []float64
}

// add notes a message, which has the time when it was due.
func (t *timings) add(msg []byte) {
	if t.messages++; t.messages > warmUp {
		t.times = append(t.times, float64(monotonic.Now()-binary.LittleEndian.Uint64(msg)))
	}
}

// print prints how many messages there were, the p50, the p99 and the maximum.
func (t *timings) print() {
	if len(t.times) == 0 {
		t.times = []float64{0}
	}
	slices.Sort(t.times)
	n := len(t.times)
	fmt.Println(t.messages, t.times[n/2], t.times[n*99/100], t.times[n-1])
}

func takeDue(ctx context.Context, args []string) error {
	c, err := sluice.Open(ctx, args[0], sluice.ConsumerOptions{})
	if err != nil {
		return err
	}
	var t timings
	for msg, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		t.add(msg)
	}
	t.print()
	return c.Close()
}

func pullDue(ctx context.Context, args []string) error {
	messages, _ := strconv.Atoi(args[1])
	nc, js, err := connect(args[0])
	if err != nil {
		return err
	}
	defer nc.Close()
	cons, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{Durable: "plain", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return err
	}
	var t timings
	done := make(chan error, 1)
	consuming, err := cons.Consume(func(msg jetstream.Msg) {
		t.add(msg.Data())
		if err := msg.Ack(); err != nil || t.messages == messages {
			select {
			case done <- err:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	defer consuming.Stop()
	fmt.Println("ready")
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	t.print()
	return err
}
