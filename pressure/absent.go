package pressure

import "sluice/layout"

// absent returns the verdict when a side that is needed is not there.
func absent(i *Interval, after *Snapshot) (Verdict, bool) {
	if v, ok := consumerless(i, after); ok {
		return v, ok
	}
	return producerless(i, after)
}

// consumerless returns the verdict when there is no consumer and one is needed.
func consumerless(i *Interval, after *Snapshot) (Verdict, bool) {
	p, c := &after.Producer, &after.Consumer
	switch {
	case !c.Alive && !p.Alive && after.Geometry.Mode == layout.ModeTransfer && after.Depth() > 0:
		// A socket of systemd keeps what was sent to it without a consumer.
		return conclude(NoProducer, CauseNobody, i, after, AdviceStartProducer), true
	case !c.Alive && c.State != layout.StateClosed && i.Consumed == 0, !c.Alive && after.Depth() > 0:
		return noConsumer(i, after), true
	// The last consumer ended before the stream did.
	case !c.Alive && i.Consumed == 0 && after.delivering() && c.EndSeen != p.Generation:
		return noConsumer(i, after), true
	}
	return Verdict{}, false
}

// producerless returns the verdict when there is no producer and one is needed: a consumer of the
// messages that one has left does not need one.
func producerless(i *Interval, after *Snapshot) (Verdict, bool) {
	p := &after.Producer
	left := p.State == layout.StateClosed && (i.Consumed > 0 || after.Geometry.Mode == layout.ModeRing && after.Depth() > 0)
	if p.Alive || i.Produced > 0 || left {
		return Verdict{}, false
	}
	return noProducer(i, after), true
}

func noProducer(i *Interval, s *Snapshot) Verdict {
	v := conclude(NoProducer, "", i, s, AdviceStartProducer)
	v.LastProducer = s.lastProducer()
	if s.Consumer.Alive {
		v.Advice = advise(AdviceStartProducer, AdviceStopConsumer)
	}
	if s.Geometry.Mode == layout.ModeTransfer && s.Depth() > 0 {
		v.Cause = CauseUndelivered // what is in the socket or at the consumer is still received
	}
	return v
}

func noConsumer(i *Interval, s *Snapshot) Verdict {
	v := conclude(NoConsumer, "", i, s)
	v.Advice = []Advice{{Kind: AdviceStartConsumer, Messages: s.Depth()}}
	switch {
	case s.LimitReached():
		v.Cause = CauseLimit
	case s.delivering() && s.Depth() == 0 && s.Producer.End == layout.EndComplete:
		v.Cause = CauseEndUntold
	case s.delivering():
		v.Cause = CauseDelivering
	case s.Producer.Alive && s.Producer.State == layout.StateAlone:
		v.Cause = CauseBlocked
	case s.Geometry.Mode == layout.ModeTransfer && s.Producer.Alive:
		v.Cause = CauseQueues
	}
	return v
}
