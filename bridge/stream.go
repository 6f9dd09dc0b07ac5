package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ackWait is how long the server waits for an acknowledgement, or a sign of progress, before it
// delivers a block again. An In that begins anew on a WorkQueue stream does not wait for it.
const ackWait = 10 * time.Second

// newStream is the stream that Out makes: what was acknowledged by In is deleted, and what is
// beyond the one limit is refused. Two limits would be enforced by deleting messages
// (github.com/nats-io/nats-server/issues/4771).
func newStream(opt *OutOptions) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        opt.Stream,
		Description: "messages between rings of sluice",
		Subjects:    []string{subjectOf(opt.Stream, "*")},
		Retention:   jetstream.WorkQueuePolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    cmp.Or(opt.MaxBytes, DefaultMaxBytes),
		Storage:     opt.Storage,
		Replicas:    cmp.Or(opt.Replicas, 1),
	}
}

// checkStream returns an ErrStream that says all that makes a stream unfit for a subject.
func checkStream(c jetstream.StreamConfig, subject string) error {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if c.Retention == jetstream.LimitsPolicy {
		fault("its retention is limits, want workqueue or interest: it never deletes what was received")
	}
	if c.Discard != jetstream.DiscardNew {
		fault("it discards old messages when it is full, want discard new")
	}
	var limits []string
	for _, l := range []struct {
		set  bool
		name string
	}{
		{c.MaxBytes > 0, "bytes"}, {c.MaxMsgs > 0, "messages"}, {c.MaxAge > 0, "age"}, {c.MaxMsgsPerSubject > 0, "messages of a subject"},
	} {
		if l.set {
			limits = append(limits, l.name)
		}
	}
	switch {
	case len(limits) == 0:
		fault("it has no limit, want one, of bytes or of messages")
	case len(limits) > 1:
		fault("it has limits of %s, want one: with two, messages can be lost without a word", strings.Join(limits, " and "))
	case c.MaxBytes <= 0 && c.MaxMsgs <= 0:
		fault("it has a limit of %s, which deletes messages; want one of bytes or of messages", limits[0])
	}
	if l := c.ConsumerLimits; l.InactiveThreshold > 0 {
		fault("it deletes consumers that are inactive, and with them what they have not received")
	} else if l.MaxAckPending > 0 && l.MaxAckPending < maxUnacknowledged {
		fault("its consumers may have %d messages without an acknowledgement, want at least %d", l.MaxAckPending, maxUnacknowledged)
	}
	if c.PersistMode == jetstream.AsyncPersistMode {
		fault("it acknowledges messages before they are written (persist mode async)")
	}
	if c.NoAck {
		fault("it does not acknowledge messages")
	}
	if c.Sealed {
		fault("it is sealed")
	}
	covered := false
	for _, pattern := range c.Subjects {
		covered = covered || covers(pattern, subject)
	}
	if !covered {
		fault("its subjects are %s, want %s among them", strings.Join(c.Subjects, ", "), subject)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("stream %q: %w: %s", c.Name, ErrStream, strings.Join(faults, "; "))
}

// covers reports whether a subject with wildcards covers one without.
func covers(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		switch {
		case token == ">":
			return i < len(s)
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}

// findStream returns the stream, made by opt if it is not nil and there is none. Its errors are
// jetstream.ErrStreamNotFound, ErrStream, and those of the server.
func findStream(ctx context.Context, js jetstream.JetStream, name, subject string, opt *OutOptions) (jetstream.Stream, error) {
	s, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && opt != nil {
		s, err = js.CreateStream(ctx, newStream(opt))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another bridge has made it
			s, err = js.Stream(ctx, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %q: %w", name, err)
	}
	return s, checkStream(s.CachedInfo().Config, subject)
}

// consumerConfig is the consumer of In. On an Interest stream it must exist before the first
// block is sent.
func consumerConfig(name, subject string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       "sluice-" + token(name),
		Description:   "bridge in of sluice",
		FilterSubject: subject,
		AckPolicy:     jetstream.AckExplicitPolicy,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait:       ackWait,
		MaxAckPending: maxUnacknowledged,
	}
}

// maxUnacknowledged is how many blocks In may hold without an acknowledgement. Those beyond the due
// one are held until it has come, and no Out has more under way.
const maxUnacknowledged = 4 * maxUnderWay
