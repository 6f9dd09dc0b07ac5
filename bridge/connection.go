package bridge

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConnectOptions returns options that every connection of a bridge needs: it connects again for as
// long as it takes, and keeps nothing to send meanwhile, which would go out of order. name says
// in the server's lists who this is.
func ConnectOptions(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait/2, reconnectWait/2),
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
	}
}

const reconnectWait = 200 * time.Millisecond

// awaitConnection waits until there is a connection, and calls waits once if there is none at
// first, then tick at each statusInterval.
func awaitConnection(ctx context.Context, nc *nats.Conn, waits, tick func()) error {
	for began, told := time.Now(), false; !nc.IsConnected(); {
		if nc.IsClosed() {
			return nats.ErrConnectionClosed
		}
		if !told && time.Since(began) > firstWait {
			told = true
			waits()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(connectionPoll):
		}
		tick()
	}
	return nil
}

const (
	// firstWait is how long a connection may take without a word.
	firstWait      = 300 * time.Millisecond
	connectionPoll = 20 * time.Millisecond
)

// streamWatch asks the server once a second what is in the stream.
type streamWatch struct {
	last atomic.Pointer[streamState]
	stop context.CancelFunc
}

type streamState struct {
	bytes, limit uint64
	created      time.Time
	gone         bool // the server says that there is no such stream
}

func watchStream(ctx context.Context, s jetstream.Stream) *streamWatch {
	w := new(streamWatch)
	w.store(s.CachedInfo())
	ctx, w.stop = context.WithCancel(ctx)
	go w.run(ctx, s)
	return w
}

func (w *streamWatch) store(info *jetstream.StreamInfo) {
	w.last.Store(&streamState{bytes: info.State.Bytes, limit: uint64(max(0, info.Config.MaxBytes)), created: info.Created})
}

func (w *streamWatch) run(ctx context.Context, s jetstream.Stream) {
	ticks := time.NewTicker(statusInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		info, err := s.Info(ask)
		cancel()
		switch {
		case err == nil:
			w.store(info)
		case errors.Is(err, jetstream.ErrStreamNotFound):
			last := *w.last.Load()
			last.gone = true
			w.last.Store(&last)
		}
	}
}
