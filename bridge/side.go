package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/layout"
)

// side is what Out and In have in common: a connection, a stream, a subject of it that is theirs
// alone, and what they tell of themselves. The goroutine that runs the bridge uses it.
type side struct {
	nc              *nats.Conn
	js              jetstream.JetStream
	direction, peer string // of this bridge and of the other one
	streamName      string
	name            string // in the subject
	subject         string
	note            func(format string, args ...any) // Events.note
	report          func()                           // what the bridge does while it waits

	claim      *claim
	line       *statusLine
	stream     jetstream.Stream
	watch      *streamWatch
	reconnects uint64 // of nc, when the claim was asked for last

	link    linkNote
	notedAt time.Time
	moved   uint64 // messages that were passed on
}

// leave ends what takeSubject and awaitStream have begun.
func (s *side) leave() {
	if s.watch != nil {
		s.watch.stop()
	}
	if s.line != nil {
		s.line.close()
	}
	if s.claim != nil {
		s.claim.release()
	}
	s.js.CleanupPublisher() // it has a goroutine that ends with nc otherwise
}

// awaitConnection waits until there is a connection.
func (s *side) awaitConnection(ctx context.Context) error {
	waits := func() {
		s.link.set(layout.LinkConnecting)
		s.note("waiting for a connection to a NATS server")
	}
	return awaitConnection(ctx, s.nc, waits, s.report)
}

// takeSubject waits for a connection, and makes sure that no other bridge of this direction is on
// the subject: ErrTaken.
func (s *side) takeSubject(ctx context.Context) error {
	err := s.awaitConnection(ctx)
	if err == nil && s.claim == nil {
		s.reconnects = s.nc.Stats().Reconnects
		s.claim, err = awaitClaim(ctx, s.nc, controlSubject(s.streamName, s.name, s.direction), s.awaitConnection)
	}
	if err == nil {
		_, err = s.reconnected(ctx)
	}
	if err == nil && s.line == nil {
		s.line, err = newStatusLine(s.nc, s.streamName, s.name, s.direction, s.peer)
	}
	return err
}

// reconnected reports whether the connection was lost since the last call. Then it asks again
// whether another bridge is on the subject.
func (s *side) reconnected(ctx context.Context) (bool, error) {
	n := s.nc.Stats().Reconnects
	if n == s.reconnects {
		return false, nil
	}
	s.reconnects = n
	if err := s.claim.again(ctx); err != nil && ctx.Err() == nil && !passing(err) {
		return true, err
	}
	return true, nil
}

// awaitStream waits until find returns the stream.
func (s *side) awaitStream(ctx context.Context, find func(context.Context) (jetstream.Stream, error)) error {
	for wait := time.Duration(0); ; wait = min(2*wait+minRetry, maxRetry) {
		ask, cancel := context.WithTimeout(ctx, askTimeout)
		stream, err := find(ask)
		cancel()
		absent := errors.Is(err, jetstream.ErrStreamNotFound)
		switch {
		case err == nil:
			s.forgetStream()
			s.stream, s.watch = stream, watchStream(context.WithoutCancel(ctx), stream)
			s.link.set(layout.LinkRunning)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !passing(err) && !absent:
			return err
		}
		if began := s.link.set(layout.LinkNoStream); began && absent {
			s.note("waiting for stream %q, which a bridge out makes", s.streamName)
		} else if began {
			s.note("waiting for the server: %v", err)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		s.report()
		if err := s.awaitConnection(ctx); err != nil {
			return err
		}
	}
}

// forgetStream is for a stream that may have changed.
func (s *side) forgetStream() {
	if s.watch != nil {
		s.watch.stop()
	}
	s.stream, s.watch = nil, nil
}

// passing reports whether a request has failed because of what may pass: no answer in time, or a
// server or cluster that is starting.
func passing(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 503 || api.Code == 408
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting)
}

const (
	askTimeout = 5 * time.Second
	minRetry   = 10 * time.Millisecond
	maxRetry   = 250 * time.Millisecond
)

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
