package bridge

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// Out takes the consumer's role in the ring called name and sends its messages to the stream until
// the ring's stream ends and that is told, or ctx is done. It returns nil then, ErrIncomplete of
// the ring after an end that was not complete, and the cause of ctx.
func Out(ctx context.Context, nc *nats.Conn, name string, opt OutOptions) error {
	return errors.New("not yet")
}

// In takes the producer's role in the ring called name and fills it with the messages of the
// near ring of that name, until the near ring's stream ends, or ctx is done.
func In(ctx context.Context, nc *nats.Conn, name string, opt InOptions) error {
	return errors.New("not yet")
}

// ConnectOptions returns options that every connection of a bridge needs: it connects again for as
// long as it takes. name says in the server's lists who this is.
func ConnectOptions(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1),
	}
}
