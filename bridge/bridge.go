package bridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"sluice/shm"
)

// Out takes the consumer's role in the ring called name, waiting for one if there is none, and
// sends its messages to the stream, until the ring's stream has ended and the end is in the stream
// too. A message is released in the ring when the stream has acknowledged it and all before it.
//
// It returns nil after a complete stream, layout.ErrIncomplete after another one, and else what has
// stopped it: the cause of ctx, ErrTaken, ErrStream, ErrStreamDeleted, a *PayloadError, an error of
// ring.Open or of the ring, or of nc. It does not return because a server is away, slow or full: it
// waits, and says so in the header of the segment. When ctx is done it waits up to two seconds for
// acknowledgements; what was not acknowledged stays in the ring, for the next Out or another
// consumer.
//
// The ring has records or fixed slots; a transfer is layout.ErrMode. nc may be used by others; it
// should have ConnectOptions. Any number of Outs may run, each for a subject of its own.
func Out(ctx context.Context, nc *nats.Conn, name string, opt OutOptions) error {
	if err := checkNames(name, opt.Stream, &opt.Subject); err != nil {
		return err
	}
	o, err := newOutbound(nc, name, opt)
	if err != nil {
		return err
	}
	return shm.Guard(func() error { return o.run(ctx) })
}

// In takes the producer's role in the ring called name and fills it with the messages of the near
// ring, in their order and each of them once, also when this or another In was killed before. It
// makes the ring, of the near ring's kind, when it hears of the near ring first.
//
// It returns when the stream of the near ring has ended and it has ended that of the far ring in
// the same way, with Follow only on an error: nil after a complete stream, layout.ErrIncomplete
// after another one, and else the cause of ctx, ErrTaken, ErrStream, ErrProtocol, a *MissingError,
// an error of ring.Create or of the ring, or of nc. When ctx is done the far ring's stream does not
// end: it goes on with the next In.
//
// What holds of nc and of several at a time is as with Out.
func In(ctx context.Context, nc *nats.Conn, name string, opt InOptions) error {
	if err := checkNames(name, opt.Stream, &opt.Subject); err != nil {
		return err
	}
	in, err := newInbound(nc, name, opt)
	if err != nil {
		return err
	}
	return shm.Guard(func() error { return in.run(ctx) })
}

// checkNames checks the names of an Out or In, and sets the name in the subject if there is none.
func checkNames(name, stream string, subject *string) error {
	if *subject == "" {
		*subject = name
	}
	return errors.Join(shm.CheckName(name), shm.CheckName(*subject), checkStreamName(stream))
}

// note tells people something.
func (e *Events) note(format string, args ...any) {
	if e.OnNote != nil {
		e.OnNote(fmt.Sprintf(format, args...))
	}
}
