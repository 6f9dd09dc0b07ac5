package pressure

import "sluice/layout"

// consumerNotFound reports whether the producer of a transfer does not find its consumer,
// although both live.
func (s *Snapshot) consumerNotFound() bool {
	return s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive && s.Consumer.Alive &&
		(s.RefuseReason == layout.RefuseNoConsumer || s.RefuseReason == layout.RefuseElsewhere || s.RefuseReason == layout.RefuseNoConnectionDescriptor)
}

// Disconnected reports whether both sides of a transfer live and, as far as they say, have no
// connection: the producer does not find the consumer, or they name different sockets. The
// paths are what they claim, and two paths may lead to one socket: they say nothing once the
// consumer has received something.
func (s *Snapshot) Disconnected() bool {
	return s.consumerNotFound() || s.socketsDiffer()
}

// socketsDiffer reports whether two sides that live name different sockets.
func (s *Snapshot) socketsDiffer() bool {
	from, to := s.Producer.Socket, s.Consumer.Socket
	return s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive && s.Consumer.Alive && from != "" && to != "" && from != to
}

// unconnected is the verdict on two sides that live and have no connection.
func unconnected(i *Interval, after *Snapshot) (Verdict, bool) {
	switch {
	case i.Consumed > 0 || i.Elapsed <= attachTime || !i.ConsumerStayed:
	case i.ConsumerNotFound, after.socketsDiffer() && after.Depth() > 0:
		return notConnected(i, after), true
	}
	return Verdict{}, false
}

// notConnected is that verdict.
func notConnected(i *Interval, s *Snapshot) Verdict {
	v := conclude(Unconnected, CauseNoSocket, i, s, AdviceRestartConsumer, AdviceSameSocket)
	v.ProducerSocket, v.ConsumerSocket = s.Producer.Socket, s.Consumer.Socket
	switch {
	case s.RefuseReason == layout.RefuseNoConnectionDescriptor:
		v.Cause, v.Advice = CauseNoDescriptor, advise(AdviceMoreDescriptors)
	case s.socketsDiffer():
		v.Cause, v.Advice = CauseSockets, advise(AdviceSameSocket)
	}
	return v
}
