package bridge

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConnectOptions returns options that every connection of a bridge needs: it connects again for as
// long as it takes, keeps nothing to send meanwhile, which would go out of order, and is given up
// when the other end does not read for some seconds. name says in the server's lists who this is.
func ConnectOptions(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait/2, reconnectWait/2),
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.SetCustomDialer(dialer{net.Dialer{Timeout: nats.DefaultTimeout}}),
	}
}

// dialer makes connections whose writes fail when nothing of them goes for writeTimeout. nats.go
// has a time for a whole write, which would have to be long for a large message on a slow network,
// and holds its lock for as long: no ping, no Close, and no call of Out would come through.
type dialer struct{ net.Dialer }

// Dial implements nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	c, err := d.Dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &writeConn{c}, nil
}

type writeConn struct{ net.Conn }

const (
	writeTimeout = 3 * time.Second
	writeChunk   = 64 << 10
)

// Write writes in parts, each of which has writeTimeout. A connection that has failed is closed:
// nobody knows what of a part has arrived.
func (c *writeConn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if err = c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return n, err
		}
		var k int
		k, err = c.Conn.Write(p[n:min(len(p), n+writeChunk)])
		n += k
	}
	if err != nil {
		c.Close()
	}
	return n, err
}

const reconnectWait = 200 * time.Millisecond

// awaitConnection waits until there is a connection, and calls waits once if there is none at
// first, then tick at each connectionPoll.
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
	w.last.Store(&streamState{bytes: info.State.Bytes, limit: uint64(max(0, info.Config.MaxBytes))})
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
