package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/bridge"
	"sluice/internal/monotonic"
)

// plainSubject is the subject of plain NATS in the stream of a run.
const plainSubject = "sluice." + stream + ".plain"

// plainInFlight is how many messages may be unacknowledged, as many as nats.go allows by default,
// but no more bytes than a bridge has.
func plainInFlight(bytes int) int { return min(4000, max(2, bridge.DefaultInFlight/bytes)) }

// makeStream makes the stream of a run of plain NATS as a bridge would.
func makeStream(ctx context.Context, s *server, storage jetstream.StorageType) error {
	return s.with(func(js jetstream.JetStream) error {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: stream, Subjects: []string{"sluice." + stream + ".*"}, Storage: storage,
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, MaxBytes: maxBytes,
		})
		return err
	})
}

// publish publishes messages, several in each message of NATS, and waits for all acknowledgements.
// It prints "ready", and when it began.
func publish(ctx context.Context, args []string) error {
	bytes, _ := strconv.Atoi(args[1])
	batch, _ := strconv.Atoi(args[2])
	count, _ := strconv.ParseUint(args[3], 10, 64)
	var failed atomic.Pointer[error]
	nc, js, err := connect(args[0], jetstream.WithPublishAsyncMaxPending(plainInFlight(bytes*batch)),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { failed.Store(&err) }))
	if err != nil {
		return err
	}
	defer nc.Close()
	begin()
	block := make([]byte, bytes*batch)
	for k := uint64(0); k < count; {
		n := int(min(uint64(batch), count-k))
		for i := range n {
			fill(block[i*bytes:(i+1)*bytes], k)
			k++
		}
		if _, err := js.PublishAsync(plainSubject, block[:n*bytes], jetstream.WithStallWait(time.Minute)); err != nil {
			return err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// pull takes messages with a pull consumer and acknowledges each message of NATS. It prints
// "ready", and then what take does.
func pull(ctx context.Context, args []string) error {
	bytes, _ := strconv.Atoi(args[1])
	batch, _ := strconv.Atoi(args[2])
	count, _ := strconv.ParseUint(args[3], 10, 64)
	nc, js, err := connect(args[0])
	if err != nil {
		return err
	}
	defer nc.Close()
	inFlight := plainInFlight(bytes * batch)
	cons, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: "plain", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 2 * inFlight,
	})
	if err != nil {
		return err
	}
	var next, wrong uint64
	done := make(chan error, 1)
	consuming, err := cons.Consume(func(msg jetstream.Msg) {
		for data := msg.Data(); len(data) >= bytes; data = data[bytes:] {
			if !filled(data[:bytes], next) {
				wrong++
			}
			next++
		}
		if err := msg.Ack(); err != nil || next == count {
			select {
			case done <- err:
			default:
			}
		}
	}, jetstream.PullMaxMessages(inFlight))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	consuming.Stop()
	err = errors.Join(err, nc.Flush())
	fmt.Println(next, monotonic.Now(), wrong)
	return err
}
