package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// claim makes sure that one bridge of a direction is on a subject. It is a question to whoever is
// there, answered by the bridge that is: no lease that a killed bridge leaves behind. The two may
// be cut off from each other, and then nothing answers; positions keep the far ring right all the
// same.
type claim struct {
	nc      *nats.Conn
	subject string
	own     identity // Settled is guarded by mu
	sub     *nats.Subscription

	mu   sync.Mutex
	lost *identity // the bridge that this one yields to
}

// identity tells people, and bridges that start at the same moment, who is there.
type identity struct {
	ID      string `json:"id"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Settled bool   `json:"settled"`
}

func (i *identity) String() string { return fmt.Sprintf("process %d on host %q", i.PID, i.Host) }

const (
	claimWait   = 500 * time.Millisecond // for an answer
	claimSettle = 150 * time.Millisecond // for one that starts at the same moment
)

// awaitClaim is takeClaim, again and again while the connection is lost before it has asked.
// connected waits for a connection.
func awaitClaim(ctx context.Context, nc *nats.Conn, subject string, connected func(context.Context) error) (*claim, error) {
	for {
		c, err := takeClaim(ctx, nc, subject)
		if err == nil || ctx.Err() != nil || !passing(err) {
			return c, err
		}
		if err := sleep(ctx, minRetry); err != nil {
			return nil, err
		}
		if err := connected(ctx); err != nil {
			return nil, err
		}
	}
}

// takeClaim returns ErrTaken when another bridge answers.
func takeClaim(ctx context.Context, nc *nats.Conn, subject string) (_ *claim, err error) {
	host, _ := os.Hostname()
	c := &claim{nc: nc, subject: subject, own: identity{ID: nuid.Next(), Host: host, PID: os.Getpid()}}
	if err := c.ask(ctx, claimWait); err != nil {
		return nil, err
	}
	if c.sub, err = nc.Subscribe(subject, c.answer); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	if err := c.ask(ctx, claimSettle); err != nil { // one that has started at the same moment
		c.release()
		return nil, err
	}
	c.mu.Lock()
	c.own.Settled = c.lost == nil
	c.mu.Unlock()
	if err := c.check(); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// ask returns ErrTaken if a bridge answers that goes before this one.
func (c *claim) ask(ctx context.Context, wait time.Duration) error {
	inbox := c.nc.NewInbox()
	answers, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", inbox, err)
	}
	defer answers.Unsubscribe()
	c.mu.Lock()
	question := c.own.encode()
	c.mu.Unlock()
	if err := c.nc.PublishRequest(c.subject, inbox, question); err != nil {
		return fmt.Errorf("ask at %s: %w", c.subject, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errNoAnswer)
	defer cancel()
	for {
		msg, err := answers.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrNoResponders), err != nil && errors.Is(context.Cause(ctx), errNoAnswer):
			return nil
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("ask at %s: %w", c.subject, err)
		}
		var other identity
		if json.Unmarshal(msg.Data, &other) != nil || other.ID == c.own.ID {
			continue
		}
		c.mu.Lock()
		yields := c.yieldsTo(&other)
		c.mu.Unlock()
		if yields {
			return c.taken(&other)
		}
	}
}

var errNoAnswer = errors.New("no answer")

// yieldsTo reports whether this one leaves when it meets the other one. Of two that have settled,
// or have not, the one with the smaller identity stays; else the one that has settled does.
func (c *claim) yieldsTo(other *identity) bool {
	if other.Settled != c.own.Settled {
		return other.Settled
	}
	return other.ID < c.own.ID
}

func (c *claim) taken(other *identity) error {
	return fmt.Errorf("%w: %s, on subject %s", ErrTaken, other, c.subject)
}

// answer is called for each question of another bridge. Both decide by the same two identities, so
// that one of them leaves.
func (c *claim) answer(msg *nats.Msg) {
	var other identity
	if json.Unmarshal(msg.Data, &other) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other.ID == c.own.ID {
		return
	}
	if c.yieldsTo(&other) && c.lost == nil {
		c.lost = &other
	}
	_ = msg.Respond(c.own.encode()) // without a connection nobody hears it
}

func (i *identity) encode() []byte {
	data, err := json.Marshal(i)
	if err != nil {
		panic(err) // it has no part that could fail
	}
	return data
}

// again asks after a connection was lost: two bridges that were cut off from each other may both
// have settled meanwhile.
func (c *claim) again(ctx context.Context) error { return c.ask(ctx, claimSettle) }

// check returns ErrTaken once another bridge has asked that goes before this one.
func (c *claim) check() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		return nil
	}
	return c.taken(c.lost)
}

func (c *claim) release() { _ = c.sub.Unsubscribe() }
