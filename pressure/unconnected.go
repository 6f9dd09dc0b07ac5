package pressure

import "sluice/layout"

// consumerNotFound reports whether the producer of a transfer does not find its consumer, although
// both are alive.
func (s *Snapshot) consumerNotFound() bool {
	return s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive && s.Consumer.Alive &&
		(s.RefuseReason == layout.RefuseNoConsumer || s.RefuseReason == layout.RefuseElsewhere || s.RefuseReason == layout.RefuseNoConnectionDescriptor)
}

// Disconnected reports whether both sides of a transfer are alive and, as far as they have
// recorded, have no connection: the producer does not find the consumer, or they use different
// sockets. The paths are claims, and two paths may lead to one socket: they mean nothing once
// the consumer has received something.
func (s *Snapshot) Disconnected() bool {
	return s.consumerNotFound() || s.socketsDiffer()
}

// socketsDiffer reports whether two live sides have recorded different sockets.
func (s *Snapshot) socketsDiffer() bool {
	from, to := s.Producer.Socket, s.Consumer.Socket
	return s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive && s.Consumer.Alive && from != "" && to != "" && from != to
}

// unconnected returns the verdict on two live sides without a connection.
func unconnected(i *Interval, after *Snapshot) (Verdict, bool) {
	switch {
	case i.Consumed > 0 || i.Elapsed <= attachTime || !i.ConsumerStayed:
	case i.ConsumerNotFound, after.socketsDiffer() && after.Depth() > 0:
		return notConnected(i, after), true
	}
	return Verdict{}, false
}

// notConnected returns that verdict.
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
