package pressure

import (
	"fmt"

	"sluice/layout"
)

// unreached reports whether the producer of a transfer does not find its consumer,
// although both live.
func (s *Snapshot) unreached() bool {
	return s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive && s.Consumer.Alive &&
		(s.RefuseReason == layout.RefuseNoConsumer || s.RefuseReason == layout.RefuseElsewhere || s.RefuseReason == layout.RefuseNoConnectionDescriptor)
}

// Apart reports whether both sides of a transfer live and, as far as they say, do not
// meet: the producer does not find the consumer, or they look for each other in
// different places. Where they look is what they claim, and two paths may lead to one
// socket: it says nothing once the consumer has taken something.
func (s *Snapshot) Apart() bool {
	return s.unreached() || s.elsewhere()
}

// elsewhere reports whether two sides that live name different sockets.
func (s *Snapshot) elsewhere() bool {
	from, to := s.Producer.Socket, s.Consumer.Socket
	return s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive && s.Consumer.Alive && from != "" && to != "" && from != to
}

// unconnected is the verdict on two sides that live and do not meet.
func unconnected(i *Interval, after *Snapshot) (Verdict, bool) {
	switch {
	case i.Consumed > 0 || i.Elapsed <= arriving || !i.ConsumerStayed:
	case i.Unreached, after.elsewhere() && after.Depth() > 0:
		return apart(after), true
	}
	return Verdict{}, false
}

// apart is that verdict in words.
func apart(s *Snapshot) Verdict {
	from, to := s.Producer.Socket, s.Consumer.Socket
	if s.RefuseReason == layout.RefuseNoConnectionDescriptor {
		return Verdict{Kind: Unconnected,
			Why:    "both sides live, and the producer has no descriptor left to connect with",
			Advice: "allow the producer more descriptors (ulimit -n)"}
	}
	if s.elsewhere() {
		return Verdict{Kind: Unconnected,
			Why:    fmt.Sprintf("both sides live and look for each other in different places: the producer connects to %s, the consumer listens at %s", from, to),
			Advice: "start both with the same --socket, or with the same XDG_RUNTIME_DIR"}
	}
	at := ""
	if from != "" {
		at = " at " + from
	}
	return Verdict{Kind: Unconnected,
		Why:    fmt.Sprintf("both sides live, and the producer finds no socket of the consumer%s", at),
		Advice: "start the consumer again, with the same --socket and XDG_RUNTIME_DIR as the producer"}
}
